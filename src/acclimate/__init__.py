"""acclimate: take what your models know into a new market, and prove whether it helped.

    import acclimate as ac
    result = ac.adapt(task=ac.Recommend(k=10), sources=["markets/us"], target="markets/jp")
    result.verdict

Names are loaded when they are first used, so that importing the package is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from acclimate.domains.domain import Domain
    from acclimate.domains.market import open_market
    from acclimate.domains.split import Cut
    from acclimate.errors import AcclimateError
    from acclimate.options import Options
    from acclimate.result import Result
    from acclimate.tasks.classify import Classify
    from acclimate.tasks.recommend import Recommend
    from acclimate.tasks.regress import Regress
    from acclimate.tasks.tag import Tag
    from acclimate.workflow import adapt, assess, predict, recommender

_HOME = {
    "AcclimateError": "acclimate.errors",
    "Classify": "acclimate.tasks.classify",
    "Cut": "acclimate.domains.split",
    "Domain": "acclimate.domains.domain",
    "Options": "acclimate.options",
    "Recommend": "acclimate.tasks.recommend",
    "Regress": "acclimate.tasks.regress",
    "Result": "acclimate.result",
    "Tag": "acclimate.tasks.tag",
    "adapt": "acclimate.workflow",
    "assess": "acclimate.workflow",
    "open_market": "acclimate.domains.market",
    "predict": "acclimate.workflow",
    "recommender": "acclimate.workflow",
}

__all__ = [
    "AcclimateError",
    "Classify",
    "Cut",
    "Domain",
    "Options",
    "Recommend",
    "Regress",
    "Result",
    "Tag",
    "__version__",
    "adapt",
    "assess",
    "open_market",
    "predict",
    "recommender",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'acclimate' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
