"""Which strategy applies to which model, for each task: the table `docs/applies.md`.

    python -m tests.contract.applies        write it anew

It is read off the catalogue on made markets with sources that share everything.
"""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from acclimate.models.model import Model
from acclimate.models.transformer import Transformer
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import MODELS, STRATEGIES
from acclimate.strategies.strategy import Strategy
from tests.contract.cases import BEHAVIOURS, NUMBERS, TASKS, posed

PAGE = Path(__file__).parents[2] / "docs" / "applies.md"
HOW = "python -m tests.contract.applies"
HEAD = f"""# What applies to what

Every strategy of the catalogue with every model, on made markets whose sources share
all they have. A reason instead of *applies* is what the plan shows as a refusal, with the
model's name; a real problem may bring others, such as a source without labels.

Written by `{HOW}`; a test compares it with the catalogue.
"""


def models_of(form: str) -> list[Model]:
    """The models of the catalogue that eat a form."""
    eaten = {NUMBERS: "rows", BEHAVIOURS: "items"}.get(form, form)
    return [model for model in MODELS if model.form == eaten]


def why_not(strategy: Strategy, model: Model, form: str | None = None) -> str | None:
    """The reason on a form's made problem, the model's own or another, or None."""
    # Of a machine that has the encoder of a transformer; none is read for this.
    with (
        patch("acclimate.models.transformer.no_encoder", lambda weights: None),
        patch.object(Transformer, "why_no_factors", lambda self: None),
    ):
        return Arm(strategy, model).why_not(posed(form or model.form).problem)


def applied(strategy: Strategy) -> list[str]:
    """The models that a strategy applies to, for whatever task."""
    forms = [(form, model) for form in TASKS for model in models_of(form)]
    return [model.kind for form, model in forms if why_not(strategy, model, form) is None]


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(form) for form in TASKS)])


def section(form: str) -> str:
    """One task: a row for each strategy that serves it, a column for each model, reasons below.

    Strategies that apply to none of its models stand at the end, by their reason.
    """
    models = models_of(form)
    reasons: list[str] = []
    rows, never = [], dict[str, list[str]]()
    for strategy in STRATEGIES:
        whys = [said(why_not(strategy, model, form), model) for model in models]
        if all(whys):
            only = "; ".join(dict.fromkeys(why for why in whys if why))
            never.setdefault(only, []).append(strategy.kind)
            continue
        reasons += [why for why in dict.fromkeys(whys) if why and why not in reasons]
        cells = [f"no ({reasons.index(why) + 1})" if why else "applies" for why in whys]
        rows.append(f"| {strategy.kind} | {' | '.join(cells)} |")
    lines = [
        f"## {TASKS[form]}",
        "",
        f"| strategy | {' | '.join(model.kind for model in models)} |",
        f"| --- |{' --- |' * len(models)}",
        *rows,
        "",
        *(f"{number}. {why}" for number, why in enumerate(reasons, start=1)),
        "",
        "Not for this task:",
        "",
        *(f"- {', '.join(kinds)}: {why}" for why, kinds in never.items()),
        "",
    ]
    return "\n".join(lines)


def said(why: str | None, model: Model) -> str | None:
    """A reason without the model's name, so that it is the same reason for others."""
    if why is not None and why.startswith(f"{model.kind} "):
        return why.replace(model.kind, "the model", 1)
    return why


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
