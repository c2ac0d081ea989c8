"""Whether transfer helped: paired comparison, the verdict, and the ledger of looks."""

from acclimate.verdicts.compare import Contrast, Effect, paired_effect
from acclimate.verdicts.ledger import Ledger, level_at
from acclimate.verdicts.verdict import Against, Verdict, judge, provisional, units_to_settle

__all__ = [
    "Against",
    "Contrast",
    "Effect",
    "Ledger",
    "Verdict",
    "judge",
    "level_at",
    "paired_effect",
    "provisional",
    "units_to_settle",
]
