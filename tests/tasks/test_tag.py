"""Tag: micro F1 by hand, classes that meet or do not, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.domains.domain import Domain
from acclimate.domains.exam import Spans, Truth
from acclimate.domains.ragged import Ragged
from acclimate.domains.sentences import Sentences
from acclimate.domains.split import Cut
from acclimate.errors import TaskError
from acclimate.models.tagger import Tagger
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly
from acclimate.tasks.tag import Tag
from acclimate.tasks.task import Posed
from tests.made_texts import make_texts

Rows = Sequence[Sequence[tuple[int, int, int]]]
KEY = Rng.of(2)


def spans(rows: Rows) -> Spans:
    ragged = Ragged.of(rows, 3)
    return Spans(ragged, np.ones(len(ragged.values)))


def truth(rows: Rows, units: Sequence[int] | None = None) -> Truth:
    count = np.arange(len(rows)) if units is None else np.array(units)
    return Truth(units=count, ragged=Ragged.of(rows, 3))


# Sentence 0: one of two found, and one that is wrong by its end; 1: nothing is there, one
# is said; 2: the right stretch under another class; 3: both find nothing; 4: right.
GOLD: Rows = [[(0, 2, 0), (4, 5, 1)], [], [(1, 3, 1)], [], [(0, 1, 0)]]
SAID: Rows = [[(0, 2, 0), (4, 6, 1)], [(2, 3, 0)], [(1, 3, 0)], [], [(0, 1, 0)]]


def test_micro_f1_is_twice_the_right_ones_over_said_and_wanted() -> None:
    # right 2 of 5 said and 4 wanted: 2·2 / 9
    assert Tag().score(spans(SAID), truth(GOLD)) == pytest.approx([4 / 9])


def test_each_replicate_weighs_its_own_units() -> None:
    weight = np.array([[1, 1, 1, 1, 1], [0, 0, 0, 0, 3], [2, 0, 1, 0, 0], [0, 0, 0, 5, 0]])
    found = Tag().score(spans(SAID), truth(GOLD), weight.astype(float))
    # Only the last: 6/6.  Twice the first and the third: 2·2 / (5 + 5).  Nothing: 0.
    assert found == pytest.approx([4 / 9, 1.0, 4 / 10, 0.0])


def test_sentences_of_one_unit_are_weighed_together() -> None:
    found = Tag().score(spans(SAID), truth(GOLD, [0, 0, 1, 1, 1]), np.array([[1.0, 0.0]]))
    assert found == pytest.approx([2 * 1 / (3 + 2)])


def test_where_nothing_is_said_or_nothing_is_there_the_score_is_0() -> None:
    silent: Rows = [[], [], [], [], []]
    assert Tag().score(spans(silent), truth(GOLD)) == [0.0]
    assert Tag().score(spans(SAID), truth(silent)) == [0.0]
    assert Tag().score(spans(silent), truth(silent)) == [0.0]


def test_a_span_that_is_said_twice_is_right_once() -> None:
    assert Tag().score(spans([[(0, 1, 0), (0, 1, 0)]]), truth([[(0, 1, 0)]])) == pytest.approx(
        [2 / 3]
    )


def test_metrics_name_precision_recall_and_f1_of_each_class() -> None:
    found = Tag(("BRAND", "MODEL", "COLOUR")).metrics(spans(SAID), truth(GOLD))
    assert found == pytest.approx(
        {
            "span-f1": 4 / 9,
            "precision": 2 / 5,
            "recall": 2 / 4,
            "f1 of BRAND": 2 * 2 / 6,
            "precision of BRAND": 2 / 4,
            "recall of BRAND": 1.0,
            "f1 of MODEL": 0.0,
            "precision of MODEL": 0.0,
            "recall of MODEL": 0.0,
        }
    )


def test_joined_answers_score_as_all_sentences_together() -> None:
    parts = [(spans(SAID[:2]), truth(GOLD[:2])), (spans(SAID[2:]), truth(GOLD[2:]))]
    joined, wanted = Tag().join(parts)
    assert wanted.n_units == 5
    weight = np.array([[1.0, 2, 3, 4, 5]])
    expected = Tag().score(spans(SAID), truth(GOLD), weight)
    assert Tag().score(joined, wanted, weight) == pytest.approx(expected)


def test_a_truth_is_known_by_its_spans() -> None:
    other = [*GOLD[:4], [(0, 1, 1)]]
    moved = [*GOLD[:3], [(0, 1, 0)], []]
    prints = {truth(each).fingerprint for each in (GOLD, other, moved)}
    assert len(prints) == 3


# ── what is posed ───────────────────────────────────────────────────────────


def pose(target: Domain, *sources: Domain, cut: Cut | None = None) -> Posed:
    return Tag().pose(target, sources, cut or Cut(), KEY)


def market(name: str, **settings: Any) -> Domain:
    return make_texts(KEY.child(name), 60, name=name, **settings)


def test_spans_of_classes_that_the_target_lacks_are_read_as_outside_and_said() -> None:
    source = market("s", classes={"BRAND": "BRAND", "PRODUCT": "PERSON"})
    posed = pose(market("t"), source)
    sample = posed.problem.sources[0].sample
    assert isinstance(sample, Sentences) and sample.spans is not None
    assert posed.task == Tag(("BRAND", "MODEL", "PRODUCT"))
    assert set(sample.spans.values[:, 2]) == {0}
    assert any("s's spans of PERSON" in n and "read as outside" in n for n in posed.notes)


def test_a_source_of_other_classes_is_left_out_beside_one_that_shares_some() -> None:
    stranger = market("s", classes={"BRAND": "PERSON"})
    posed = pose(market("t"), market("near"), stranger)
    assert [source.name for source in posed.problem.sources] == ["near"]
    assert (
        "s has no span of the target's classes (BRAND, MODEL, PRODUCT); its own are PERSON: "
        "left out" in posed.notes
    )


@pytest.mark.parametrize("strategy", [Pooled(), SourceOnly()], ids=lambda each: each.kind)
def test_a_source_whose_classes_never_meet_the_targets_is_refused(strategy: Any) -> None:
    posed = pose(market("t"), market("s", classes={"BRAND": "PERSON"}))
    assert Arm(strategy, Tagger()).why_not(posed.problem) == (
        "source 's' has no span of the target's classes (BRAND, MODEL, PRODUCT)"
    )


def test_sentences_without_known_spans_are_seen_without_labels() -> None:
    target = market("t")
    table = target.tables["texts"].with_columns(
        pl.when(pl.int_range(pl.len()) % 3 > 0).then("spans").alias("spans")
    )
    posed = pose(replace(target, tables={"texts": table}), market("s"), cut=Cut(by="random"))
    judged = posed.exam.judge[0].truth
    seen, whole = posed.problem.unlabelled, posed.whole.fit
    assert isinstance(seen, Sentences) and seen.n == 20 and seen.spans is None
    assert whole.n == 40 and posed.problem.fit.n + judged.n_units == 40


def test_a_label_budget_counts_sentences() -> None:
    posed = pose(market("t"), market("s"), cut=Cut(labels=10, by="random"))
    assert posed.problem.fit.n == 10


def test_folds_spread_rare_classes() -> None:
    table = market("t").tables["texts"]
    rare = [json.dumps([[0, 1, "RARE"]])] * 5
    cells = pl.Series("spans", rare + table["spans"].to_list()[5:])
    posed = pose(replace(market("t"), tables={"texts": table.with_columns(cells)}), market("s"))
    whole = posed.whole.fit
    assert isinstance(whole, Sentences)
    held = [case.truth.ragged for _, case in whole.folds(5, KEY)]
    at = whole.classes.index("RARE")
    assert [int((each.values[:, 2] == at).sum()) for each in held if each] == [1] * 5


def test_markets_that_are_cut_differently_are_told() -> None:
    target, source = market("t"), market("s")
    table = replace(source.schema.tables["texts"], notations={"tokens": "characters"})
    schema = replace(source.schema, tables={"texts": table})
    posed = pose(target, replace(source, schema=schema))
    said = "texts are cut into tokens differently (t: words, s: characters)"
    assert any(note.startswith(said) for note in posed.notes)


def test_a_market_without_texts_is_refused() -> None:
    rows = Domain("t", {"rows": pl.DataFrame({"a": [1]})}, market("s").schema)
    with pytest.raises(TaskError, match="Expected a table of texts with spans in 't' to tag"):
        pose(rows, market("s"))


def test_a_target_without_spans_is_refused() -> None:
    with pytest.raises(TaskError, match="Expected labelled spans in target 't' to judge on"):
        pose(market("t", classes={}), market("s"))
