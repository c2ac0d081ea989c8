"""Trees: gradient boosting with LightGBM on numbers, category codes and frequent text.

Categories stay categories, code 0 (unseen, rare or missing) among them; a code that
the fit never saw takes LightGBM's branch for other values.  Text enters as the
columns that most rows use, so that a row's rare n-grams are not seen at all.

Settings bend to the rows there are: neither a leaf nor a group of categories asks
for more than a tenth of them, so that 60 rows still split.  Rows of weight 0 are
left out, as if they had not been given.  A class without rows gets
½ / (Σw + ½·n_classes), as in `linear`; with a single class, or without columns,
every row gets the smoothed class shares.  Numbers are boosted on squared error; without
columns every row gets their mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Bools, Ints, Tensor
from acclimate.domains.exam import Numbers, Probabilities, RowAnswer
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.boosted import boosted, dataset, parameters, releaved, threads
from acclimate.models.design import (
    Layout,
    absent_share,
    require_label,
    require_numbers,
    require_weight,
    share_with_absent,
)
from acclimate.models.model import State, Tick, idle
from acclimate.plurals import number_of
from acclimate.rng import Rng

TEXT_COLUMNS = 2000  # the most used ones; a histogram is kept for each
TEXT_ROWS = 5  # a text column used by fewer rows is left out


@dataclass(frozen=True)
class TreeRows:
    """A view as LightGBM takes it.

    matrix  (n, numeric + categories + text columns kept) dense, or CSR with text
    text    positions of the text columns kept, increasing
    often   whether it is fitted again and again, and so in fewer bins
    binned  its rows in bins, by the settings that these depend on; weights do not matter
    """

    matrix: Any
    text: Ints
    layout: Layout
    label: Ints | Array | None
    n_classes: int
    often: bool = False
    binned: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class TreesFit:
    """What was learned.

    model    LightGBM's own text, or "" where there was nothing to split on
    shares   (n_classes,) smoothed share of each class among the weights; of numbers their
             weighted mean and standard deviation, which `model` is fitted in units of
    classes  (n_classes,) whether the class had rows; empty for numbers
    absent   the constant probability of each class that had none
    text     the text columns that `model` reads
    """

    layout: Layout
    model: str = field(repr=False)
    shares: Array
    classes: Bools
    absent: float
    text: Ints

    @cached_property
    def booster(self) -> Any:
        """Read from `model` and never from training, so that a restored fit agrees."""
        import lightgbm

        return lightgbm.Booster(model_str=self.model)


@dataclass(frozen=True)
class Trees:
    """Gradient-boosted trees.

    leaves    ≥ 2, of each tree
    rate      0 < rate ≤ 1, learning rate
    rounds    > 0, trees (times the number of classes, beyond two)
    min_rows  ≥ 1, rows in a leaf; lowered to a tenth of the rows where they are few
    """

    leaves: int = 15
    rate: float = 0.05
    rounds: int = 200
    min_rows: int = 20
    fitted: TreesFit | None = field(default=None, repr=False, compare=False)

    kind: ClassVar[str] = "trees"
    form: ClassVar[str] = "rows"
    takes_weights: ClassVar[bool] = True
    takes_numbers: ClassVar[bool] = True
    effort: ClassVar[int] = 1

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Trees, ...]:
        return (
            Trees(leaves=3, rounds=60, min_rows=10),
            Trees(leaves=4, rounds=200, min_rows=5),
            Trees(leaves=8, rounds=100, min_rows=20),
            Trees(),
            Trees(leaves=31, rounds=200, min_rows=40),
            Trees(leaves=63, rounds=300, min_rows=100),
        )

    def prepare(self, view: RowView) -> TreeRows:
        kept = np.zeros(0, np.int64)
        if view.sparse is not None:
            used = np.bincount(view.sparse.indices, minlength=view.sparse.shape[1])
            order = np.argsort(-used, kind="stable")[:TEXT_COLUMNS]
            kept = np.sort(order[used[order] >= min(TEXT_ROWS, max(1, view.n // 10))])
        layout = Layout.of(view)
        return TreeRows(_matrix(view, kept), kept, layout, view.label, view.n_classes)

    def prepare_often(self, view: RowView) -> TreeRows:
        """The same in at most 63 bins a column instead of 255: half of a tree's cost."""
        return replace(self.prepare(view), often=True)

    def fit(
        self,
        prepared: TreeRows,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Trees:
        """Boost for `rounds`; `rng` chooses which columns each tree may split on.

        Raises StrategyError without labelled rows, and for weights that are
        negative or all zero.
        """
        assert prior is None, "trees take no prior"
        matrix, n_classes = prepared.matrix, prepared.n_classes
        weight = require_weight(weight, int(matrix.shape[0]))
        used, binned = np.flatnonzero(weight > 0), prepared.binned
        if not n_classes:
            numbers = require_numbers(prepared.label)
            if len(used) < len(weight):
                matrix, weight, numbers = matrix[used], weight[used], numbers[used]
                binned = {}
            rows = replace(prepared, matrix=matrix, binned=binned)
            return self._fit_numbers(rows, numbers, weight, rng, tick)
        label = require_label(prepared.label, n_classes)
        if len(used) < len(weight):
            matrix, weight, label = matrix[used], weight[used], label[used]
            binned = {}
        total = np.bincount(label, weight, minlength=n_classes)
        classes = total > 0
        shares = (total + 0.5) / (total.sum() + 0.5 * n_classes)
        model = ""
        tick()
        if classes.sum() > 1 and matrix.shape[1]:
            position = np.cumsum(classes) - 1
            rows = replace(prepared, matrix=matrix, binned=binned)
            model = self._boost(rows, position[label], weight, rng, tick)
        absent = absent_share(weight, n_classes)
        fitted = TreesFit(prepared.layout, model, shares, classes, absent, prepared.text)
        return replace(self, fitted=fitted)

    def _fit_numbers(
        self, prepared: TreeRows, y: Array, weight: Array, rng: Rng, tick: Tick
    ) -> Trees:
        """Fitted on squared error, standardised: LightGBM keeps labels in single precision."""
        centre = float(weight @ y / weight.sum())
        spread = float(np.sqrt(weight @ (y - centre) ** 2 / weight.sum()))
        model = ""
        tick()
        if spread > 0 and prepared.matrix.shape[1]:
            model = self._boost(prepared, (y - centre) / spread, weight, rng, tick)
        fitted = TreesFit(
            prepared.layout,
            model,
            np.array([centre, spread]),
            np.zeros(0, bool),
            0.0,
            prepared.text,
        )
        return replace(self, fitted=fitted)

    def _boost(
        self, rows: TreeRows, label: Ints | Array, weight: Array, rng: Rng, tick: Tick
    ) -> str:
        """LightGBM's text of trees fitted on rows that all have a weight above 0."""
        n, n_classes = len(label), 0 if label.dtype.kind == "f" else int(label.max()) + 1
        mine = self.leaves, self.rate, self.min_rows
        told = parameters(*mine, n, n_classes, rng.seed, rows.often)
        # What a data set remembers of its settings; it refuses others once it is made.
        key = f"{told['min_data_in_leaf']} {told['objective']}"
        if key not in rows.binned:
            rows.binned[key] = dataset(rows.matrix, label, rows.layout, told).construct()
        data = rows.binned[key].set_label(label.astype(np.float64))
        # `set_weight` would leave the weights of the fit before where all are 1.
        data.set_field("weight", None if np.all(weight == 1) else weight)
        return boosted(data, told, self.rounds, tick)

    def grown(
        self,
        view: RowView,
        rounds: int,
        *,
        weight: Array | None = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Trees:
        """`rounds` ≥ 0 more trees on these rows, those that were learned kept as they are.

        Their leaves are fitted to what the learned trees leave, with this model's settings.
        Trees that split on nothing stay as they are.

        Raises StrategyError for a class that the learned trees do not tell apart.
        """
        fitted = self._known()
        if not fitted.model or not rounds:
            return self
        matrix, label, weight = self._again(view, weight)
        n_classes = int(fitted.classes.sum())
        if n_classes and len(np.unique(label)) < 2:
            return self  # LightGBM grows no tree on a single class
        told = parameters(
            self.leaves, self.rate, self.min_rows, len(label), n_classes, rng.seed
        )
        rows = dataset(matrix, label, fitted.layout, told, weight, keep=True)
        model = boosted(rows, told, rounds, tick, start=fitted.booster)
        return replace(self, fitted=replace(fitted, model=model))

    def releaved(
        self, view: RowView, decay: float, *, weight: Array | None = None, tick: Tick = idle
    ) -> Trees:
        """The same splits with leaves fitted to these rows: decay·old + (1 − decay)·new.

        decay  from 0 (leaves of these rows alone) to 1 (as they were); a leaf that no row
               falls into stays as it was

        Raises StrategyError for a class that the learned trees do not tell apart.
        """
        fitted = self._known()
        tick()
        if not fitted.model:
            return self
        model = releaved(fitted.booster, *self._again(view, weight), decay, tick)
        return replace(self, fitted=replace(fitted, model=model))

    def _again(self, view: RowView, weight: Array | None) -> tuple[Any, Ints | Array, Array]:
        """Rows as the learned trees read them: matrix, label in their terms, weights."""
        fitted = self._known()
        fitted.layout.require(view)
        weight = require_weight(weight, view.n)
        used = np.flatnonzero(weight > 0)
        matrix, weight = _matrix(view, fitted.text)[used], weight[used]
        if not len(fitted.classes):
            centre, spread = fitted.shares
            return matrix, (require_numbers(view.label)[used] - centre) / spread, weight
        label = require_label(view.label, len(fitted.classes))[used]
        if not fitted.classes[label].all():
            foreign = int((~fitted.classes[label]).sum())
            raise StrategyError(
                f"Expected labels among the {int(fitted.classes.sum())} classes that the "
                f"learned trees tell apart; found {number_of(foreign, 'row')} of others. Leave "
                "these out, or fit on all rows from the start."
            )
        return matrix, np.cumsum(fitted.classes)[label] - 1, weight

    def predict(self, query: RowView, context: Any = None) -> RowAnswer:
        """(n, n_classes), or (n,) numbers, for any rows encoded as those of the fit were."""
        fitted = self._known()
        fitted.layout.require(query)
        if not len(fitted.classes):
            centre, spread = fitted.shares
            away = np.zeros(query.n)
            if fitted.model and query.n:
                matrix = _matrix(query, fitted.text)
                away = fitted.booster.predict(matrix, num_threads=threads(query.n))
            return Numbers(centre + spread * away)
        if not fitted.model:
            return Probabilities(np.tile(fitted.shares, (query.n, 1)))
        if not query.n:
            return Probabilities(np.zeros((0, len(fitted.classes))))
        matrix = _matrix(query, fitted.text)
        chance = fitted.booster.predict(matrix, num_threads=threads(query.n))
        if chance.ndim == 1:
            chance = np.column_stack([1.0 - chance, chance])
        return Probabilities(share_with_absent(chance, fitted.classes, fitted.absent))

    def _known(self) -> TreesFit:
        assert self.fitted is not None, "fit() comes first"
        return self.fitted

    def state(self) -> State:
        fitted = self._known()
        layout = fitted.layout
        meta: dict[str, Any] = {
            "leaves": self.leaves,
            "rate": self.rate,
            "rounds": self.rounds,
            "min_rows": self.min_rows,
            "layout": [layout.numeric, list(layout.levels), layout.text],
            "absent": fitted.absent,
        }
        tensors: dict[str, Tensor] = {
            "model": np.frombuffer(fitted.model.encode(), np.uint8),
            "shares": fitted.shares,
            "classes": fitted.classes.astype(np.uint8),
            "text": fitted.text,
        }
        return State(self.kind, meta, tensors)

    @classmethod
    def restore(cls, state: State) -> Trees:
        meta, tensors = state.meta, state.tensors
        numeric, levels, text = meta["layout"]
        fitted = TreesFit(
            Layout(int(numeric), tuple(levels), int(text)),
            np.asarray(tensors["model"], np.uint8).tobytes().decode(),
            np.asarray(tensors["shares"], np.float64),
            np.asarray(tensors["classes"]).astype(bool),
            float(meta["absent"]),
            np.asarray(tensors["text"], np.int64),
        )
        return cls(meta["leaves"], meta["rate"], meta["rounds"], meta["min_rows"], fitted)


def _matrix(view: RowView, text: Ints) -> Any:
    """[numeric | codes | text columns], dense unless there is text."""
    import scipy.sparse as sp

    dense = view.numeric  # copied for each prediction it would cost as much as a tree's answer
    if view.codes.shape[1]:
        dense = np.hstack([dense, view.codes.astype(np.float64)])
    if view.sparse is None or not len(text):
        return dense
    columns = sp.csr_array(view.sparse)[:, text]
    # LightGBM knows SciPy's matrix, and warns of what it must convert.
    return sp.csr_matrix(sp.hstack([sp.csr_array(dense), columns], format="csr"))
