"""Everything that can be tried: models and strategies, by name, simplest first.

Plug-ins add theirs through the entry points `acclimate.models` and
`acclimate.strategies`, each naming an instance, and `acclimate.moves`, naming a class.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from acclimate.domains.moved import Affine, Move
from acclimate.errors import UsageError
from acclimate.models.across import Across
from acclimate.models.als import Als
from acclimate.models.attention import Mtan
from acclimate.models.attentive import Attentive
from acclimate.models.behaviours import BehaviourRanker
from acclimate.models.bpr import Bpr
from acclimate.models.content import Content
from acclimate.models.ease import Ease
from acclimate.models.ensemble import Ensemble
from acclimate.models.experts import Mmoe, Ple
from acclimate.models.graphfilter import GraphFilter
from acclimate.models.lightgcn import LightGcn
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import Model, Waits
from acclimate.models.neighbours import ItemKnn
from acclimate.models.popularity import Popularity
from acclimate.models.quantiles import Quantiles
from acclimate.models.ranker import Stack
from acclimate.models.sparseease import SparseEase
from acclimate.models.stitch import CrossStitch
from acclimate.models.tagger import Tagger
from acclimate.models.transformer import Transformer
from acclimate.models.trees import Trees
from acclimate.models.twotower import TwoTower
from acclimate.models.walks import Rp3Beta
from acclimate.models.wideease import WideEase
from acclimate.nearest import expected
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.strategies.blend import Blend
from acclimate.strategies.chain import JOIN, Chain
from acclimate.strategies.feature.adversarial import AdapterDann, Dann
from acclimate.strategies.feature.augmentation import Augment, FeatureAugmentation
from acclimate.strategies.feature.components import Components
from acclimate.strategies.feature.conditional import Cdan
from acclimate.strategies.feature.coral import Coral
from acclimate.strategies.feature.deepcoral import DeepCoral
from acclimate.strategies.feature.discrepancy import Dan, Jan
from acclimate.strategies.feature.jda import Jda
from acclimate.strategies.feature.monge import LinearTransport
from acclimate.strategies.feature.msda import Denoise, Msda
from acclimate.strategies.feature.several import Mdan
from acclimate.strategies.feature.subspace import SubspaceAlignment
from acclimate.strategies.feature.tca import Tca
from acclimate.strategies.feature.transport import Transport
from acclimate.strategies.instance.kmm import Kmm
from acclimate.strategies.instance.multisource import MultiSourceTrAdaBoost
from acclimate.strategies.instance.sources import EvidenceWeights
from acclimate.strategies.instance.tradaboost import TrAdaBoost
from acclimate.strategies.instance.tradaboostr2 import TrAdaBoostR2
from acclimate.strategies.instance.ulsif import Ulsif
from acclimate.strategies.instance.weighting import DensityRatio
from acclimate.strategies.meta.aml import Aml
from acclimate.strategies.meta.maml import Maml
from acclimate.strategies.meta.metahead import MetaHead
from acclimate.strategies.meta.metatransfer import MetaTransfer
from acclimate.strategies.meta.reptile import Reptile
from acclimate.strategies.multitask.affinity import AffinitySharing
from acclimate.strategies.multitask.autolambda import AutoLambda
from acclimate.strategies.multitask.balanced import BalancedSharing
from acclimate.strategies.multitask.joint import (
    MmoeSharing,
    MtanSharing,
    PleSharing,
    StitchSharing,
)
from acclimate.strategies.multitask.sharing import HardSharing, LabelSharing
from acclimate.strategies.multitask.soft import SoftSharing, TraceNorm
from acclimate.strategies.parameter.boosting import Boosting, RefitLeaves
from acclimate.strategies.parameter.delta import Delta
from acclimate.strategies.parameter.finetune import FALLING, FineTune
from acclimate.strategies.parameter.l2sp import L2SP
from acclimate.strategies.parameter.lora import Lora
from acclimate.strategies.parameter.prior import SourcePrior
from acclimate.strategies.relation.behaviours import BehaviourWeights
from acclimate.strategies.relation.contentbridge import ContentBridge
from acclimate.strategies.relation.cotuning import CoTuning
from acclimate.strategies.relation.factorprior import ItemFactorPrior
from acclimate.strategies.relation.itemgraph import ItemGraph
from acclimate.strategies.relation.itemprior import ItemItemPrior
from acclimate.strategies.relation.jointhistories import JointHistories
from acclimate.strategies.relation.marketstack import MarketStack
from acclimate.strategies.relation.sharedusers import SharedUsers
from acclimate.strategies.relation.smoothing import GraphSmoothing, LevelColumns
from acclimate.strategies.strategy import Adapt, Strategy

ALWAYS = ("target-only", "source-only", "pooled")
EVERY = "every"

MODELS: tuple[Model, ...] = (
    Popularity(),
    ItemKnn(),
    Rp3Beta(),
    Ease(),
    SparseEase(),
    WideEase(),
    GraphFilter(),
    Als(),
    Bpr(),
    LightGcn(),
    Content(),
    TwoTower(),
    Stack(),
    Linear(),
    Trees(),
    MixedNetwork(),
    Transformer(),
    Tagger(),
)

STRATEGIES: tuple[Strategy, ...] = (
    TargetOnly(),
    SourceOnly(),
    Pooled(),
    SourcePrior(),
    ItemItemPrior(),
    ItemGraph(),
    SharedUsers(),
    JointHistories(),
    ContentBridge(),
    BehaviourWeights(),
    MarketStack(),
    ItemFactorPrior(),
    GraphSmoothing(),
    Chain((Coral(), SourceOnly())),
    Chain((Coral(), Pooled())),
    Chain((FeatureAugmentation(), Pooled())),
    Chain((SubspaceAlignment(), SourceOnly())),
    Chain((SubspaceAlignment(), Pooled())),
    Chain((Tca(), SourceOnly())),
    Chain((Tca(), Pooled())),
    Chain((Jda(), SourceOnly())),
    Chain((Jda(), Pooled())),
    Chain((LinearTransport(), SourceOnly())),
    Chain((LinearTransport(), Pooled())),
    Chain((Transport(), SourceOnly())),
    Chain((Transport(), Pooled())),
    Chain((Msda(), SourceOnly())),
    Chain((Msda(), Pooled())),
    Chain((DensityRatio(), SourceOnly())),
    Chain((DensityRatio(), Pooled())),
    Chain((Kmm(), SourceOnly())),
    Chain((Kmm(), Pooled())),
    Chain((Ulsif(), SourceOnly())),
    Chain((Ulsif(), Pooled())),
    Chain((EvidenceWeights(), Pooled())),
    Chain((EvidenceWeights(), SourcePrior())),
    Blend(),
    TrAdaBoost(),
    MultiSourceTrAdaBoost(),
    TrAdaBoostR2(),
    RefitLeaves(),
    Boosting(),
    FineTune(layers="head"),
    FineTune(layers="all"),
    FineTune(gradual=True, falling=FALLING),
    L2SP(),
    Delta(),
    Lora(),
    Chain((DensityRatio(), FineTune(layers="all"))),
    CoTuning(),
    HardSharing(),
    LabelSharing(),
    BalancedSharing(),
    SoftSharing(),
    TraceNorm(),
    StitchSharing(),
    MmoeSharing(),
    PleSharing(),
    MtanSharing(),
    AutoLambda(),
    AffinitySharing(),
    AdapterDann(),
    Dann(),
    DeepCoral(),
    Dan(),
    Jan(),
    Cdan(),
    Cdan(entropy=True),
    Mdan(),
    Maml(),
    Maml(inner="head"),
    Maml(by="entity"),
    Maml(by="category"),
    Maml(order=1),
    Reptile(),
    Aml(),
    Aml(masked=False),
    MetaTransfer(),
    MetaHead(),
    Chain((HardSharing(), AdapterDann(), MetaHead())),
)

MADE: tuple[Model, ...] = (
    Across(),
    BehaviourRanker(),
    Ensemble(),
    Quantiles(),
    Attentive(),
    CrossStitch(),
    Mmoe(),
    Ple(),
    Mtan(),
)
"""Models that strategies put together from others; restored, never tried by themselves."""


MOVES: tuple[type[Move], ...] = (Affine, Augment, Components, Denoise, LevelColumns)
"""What reshaping steps may leave for the target's rows; an artifact reads them back."""


@cache
def models() -> dict[str, Model]:
    """Every model by kind, built-ins first."""
    plugged = (point.load() for point in entry_points(group="acclimate.models"))
    return {model.kind: model for model in (*MODELS, *plugged)}


@cache
def moves() -> dict[str, type[Move]]:
    """Every move by kind, built-ins first."""
    plugged = (point.load() for point in entry_points(group="acclimate.moves"))
    return {move.kind: move for move in (*MOVES, *plugged)}


def restorable() -> dict[str, Model]:
    """Every model that an artifact may hold, by kind."""
    return models() | {model.kind: model for model in MADE}


@cache
def strategies() -> dict[str, Strategy]:
    """Every strategy by kind, built-ins first."""
    plugged = (point.load() for point in entry_points(group="acclimate.strategies"))
    whole = map(completed, (*STRATEGIES, *plugged))
    return {strategy.kind: strategy for strategy in whole}


def steps() -> dict[str, Strategy]:
    """Every step by kind, those of chains among them."""
    found: dict[str, Strategy] = {}
    for strategy in strategies().values():
        parts = strategy.steps if isinstance(strategy, Chain) else (strategy,)
        found |= {part.kind: part for part in parts if part.kind not in found}
    return found


def arms(
    form: str, wanted: tuple[str, ...] | None = None, fitted: tuple[str, ...] | None = None
) -> list[Arm]:
    """Every strategy with every model that eats this form.

    wanted  kinds of strategies to keep, None for those a plan tries unasked, or "every"
            for the whole catalogue; the three baselines stay.  Kinds joined by " + " are
            a chain, whether it is in the catalogue or not
    fitted  kinds of models to keep, or None for those a plan tries unasked

    Raises UsageError for a kind that is not known, and where no model serves the form.
    """
    if wanted is None:
        kept = [strategy for strategy in strategies().values() if strategy.unasked]
    else:
        whole = tuple(strategies()) if EVERY in wanted else ()
        names = (*ALWAYS, *whole, *(name for name in wanted if name != EVERY))
        asked = {name: named(name) for name in names}
        kept = [*{strategy.kind: strategy for strategy in asked.values()}.values()]
    fitting = [model for model in models().values() if model.form == form]
    if fitted is None:
        fitting = [model for model in fitting if not isinstance(model, Waits) or model.unasked]
    else:
        serving = [model.kind for model in fitting]
        unknown = [kind for kind in fitted if kind not in serving]
        if unknown or not fitted:
            raise UsageError(expected("models that serve this task", serving, unknown))
        fitting = [model for model in fitting if model.kind in fitted]
    return [Arm(strategy, model) for strategy in kept for model in fitting]


def named(name: str) -> Strategy:
    """The strategy of a kind, or the chain of several joined by "+".

    Raises UsageError for a kind that is not in the catalogue.
    """
    if name in strategies():
        return strategies()[name]
    known = steps()
    parts = [part.strip() for part in name.split(JOIN.strip())]
    unknown = [part for part in parts if part not in known]
    if unknown:
        raise UsageError(
            f'{expected("strategies", known, unknown)} A chain is written "coral + finetune".'
        )
    chain = tuple(known[part] for part in parts)
    if len(chain) == 1:
        return completed(chain[0])
    return Chain(chain if isinstance(chain[-1], Adapt) else (*chain, Pooled()))


def completed(strategy: Strategy) -> Strategy:
    """The strategy itself; one that only reshapes or weighs is followed by pooling."""
    whole = isinstance(strategy, Adapt | Chain)
    return strategy if whole else Chain((strategy, Pooled()))
