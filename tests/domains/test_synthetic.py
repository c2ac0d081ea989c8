"""Made domains: each dial moves what it says and nothing else, and the truth is true."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest
from scipy.stats import ks_2samp

from acclimate.arrays import Array, Ints
from acclimate.domains.schema import ColumnType
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events, make_rows
from acclimate.domains.truth import MadeEvents, MadeRows
from acclimate.errors import UsageError
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend

N = 6000


def rows_of(made: MadeRows) -> pl.DataFrame:
    return made.domain.tables["rows"]


def label_of(made: MadeRows) -> Ints:
    return rows_of(made)["label"].cast(pl.Int64).to_numpy()


def x_of(made: MadeRows) -> Array:
    return rows_of(made).select(f"x{j}" for j in range(made.numeric)).to_numpy()


def far(a: Array, b: Array) -> bool:
    """Whether two samples of 6,000 differ beyond chance (p < 1e-4)."""
    return bool(ks_2samp(a, b).pvalue < 1e-4)


def log_loss(label: Ints, p: Array) -> float:
    return float(-(label * np.log(p) + (1 - label) * np.log1p(-p)).mean())


def events_of(made: MadeEvents) -> tuple[Ints, Ints]:
    events = made.domain.tables["events"]
    at = {item: row for row, item in enumerate(made.ids)}
    item = np.array([at[each] for each in events["item"]])
    user = np.unique(events["user"].to_numpy(), return_inverse=True)[1]
    return user, item


# ── rows ────────────────────────────────────────────────────────────────────


def test_the_same_key_gives_the_same_market_and_another_key_another(rng: Rng) -> None:
    a = make_rows(rng, 50, text=True, time=True, missing=0.1)
    b = make_rows(rng, 50, text=True, time=True, missing=0.1)
    c = make_rows(rng.child("c"), 50, text=True, time=True, missing=0.1)
    assert a.domain.fingerprint == b.domain.fingerprint != c.domain.fingerprint


def test_rows_are_shaped_as_a_domain_says(rng: Rng) -> None:
    made = make_rows(rng, 40, text=True, time=True, missing=0.2, name="jp")
    table, schema = rows_of(made), made.domain.schema.tables["rows"]
    assert made.domain.name == "jp"
    assert table.columns == ["x0", "x1", "x2", "x3", "group", "note", "label", "time"]
    assert set(table["label"].unique()) == {"0", "1"}
    assert table["time"].is_sorted() and table["time"].n_unique() == 40
    assert schema.types["group"] == ColumnType.CATEGORY
    assert schema.types["note"] == ColumnType.TEXT
    assert dict(schema.roles) == {"label": "label", "time": "time"}
    share = table.select(pl.exclude("label", "time")).null_count().sum_horizontal()[0] / 240
    assert 0.1 < share < 0.3


def test_zero_dials_give_exchangeable_domains(rng: Rng) -> None:
    a, b = make_rows(rng.child("a"), N), make_rows(rng.child("b"), N)
    for j in range(4):
        assert not far(x_of(a)[:, j], x_of(b)[:, j])
    assert abs(label_of(a).mean() - label_of(b).mean()) < 4 * np.sqrt(0.5 / N)
    np.testing.assert_array_equal(a.bayes(rows_of(a)), b.bayes(rows_of(a)))
    assert a.divergence(b) == 0 and a.separability(b) == 0.5 and a.regret(b) == 0


def test_covariate_moves_x2_by_exactly_its_size_and_no_label(rng: Rng) -> None:
    a, b = make_rows(rng, N), make_rows(rng, N, covariate=1.5)
    np.testing.assert_allclose(x_of(b) - x_of(a), np.tile([0, 0, 1.5, 0], (N, 1)), atol=1e-12)
    np.testing.assert_array_equal(label_of(a), label_of(b))
    np.testing.assert_allclose(a.bayes(rows_of(b)), b.bayes(rows_of(b)), atol=1e-12)
    assert a.regret(b) == pytest.approx(0, abs=1e-12)


def test_covariate_distances_are_those_of_two_gaussians(rng: Rng) -> None:
    a, b = make_rows(rng.child("a"), N), make_rows(rng.child("b"), N, covariate=1.0)
    # KL of unit Gaussians a distance of 1 apart is ½; Φ(½) = 0.6915.
    assert a.divergence(b) == pytest.approx(0.5)
    assert a.separability(b) == pytest.approx(0.69146, abs=1e-5)
    right = ((x_of(b)[:, 2] > 0.5).mean() + (x_of(a)[:, 2] < 0.5).mean()) / 2
    assert right == pytest.approx(0.69146, abs=4 * 0.5 / np.sqrt(2 * N))


def test_label_moves_the_share_of_ones_and_not_features_given_the_label(rng: Rng) -> None:
    a, b = make_rows(rng.child("a"), N), make_rows(rng.child("b"), N, label=0.3)
    assert label_of(b).mean() == pytest.approx(0.8, abs=4 * 0.4 / np.sqrt(N))
    for each in (0, 1):
        for j in range(4):
            assert not far(x_of(a)[label_of(a) == each, j], x_of(b)[label_of(b) == each, j])
    assert far(x_of(a)[:, 0], x_of(b)[:, 0]), "features as a whole follow the labels"


def test_concept_moves_the_labels_given_features_and_nothing_else(rng: Rng) -> None:
    a, b = make_rows(rng.child("a"), N), make_rows(rng.child("b"), N, concept=0.5)
    for j in range(4):
        assert not far(x_of(a)[:, j], x_of(b)[:, j])
    assert abs(label_of(a).mean() - label_of(b).mean()) < 4 * np.sqrt(0.5 / N)
    assert a.divergence(b) == 0
    assert far(x_of(a)[label_of(a) == 1, 0], x_of(b)[label_of(b) == 1, 0])


def test_concept_of_one_reverses_every_effect(rng: Rng) -> None:
    a, b = make_rows(rng, 200, text=True), make_rows(rng, 200, text=True, concept=1.0)
    table = rows_of(a)
    np.testing.assert_allclose(a.bayes(table), 1 - b.bayes(table), atol=1e-12)


@pytest.mark.parametrize(
    "dials",
    [{}, {"label": 0.3}, {"concept": 0.3}, {"label": -0.2, "concept": 0.6, "covariate": 1.0}],
    ids=str,
)
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_bayes_is_calibrated_whatever_is_missing(
    dials: Mapping[str, float], missing: float, rng: Rng
) -> None:
    made = make_rows(rng, 3 * N, missing=missing, text=True, **dials)  # type: ignore[arg-type]
    p, label = made.bayes(rows_of(made)), label_of(made)
    for low in np.arange(0, 1, 0.2):
        inside = (p >= low) & (p < low + 0.2)
        error = np.sqrt(0.25 / max(inside.sum(), 1))
        assert abs((label[inside] - p[inside]).mean()) < 4 * error


def test_regret_is_the_excess_loss_that_a_large_sample_shows(rng: Rng) -> None:
    source = make_rows(rng, 10)
    for dials in ({"concept": 0.3}, {"label": 0.3}, {"concept": 0.2, "label": -0.2}):
        made = make_rows(rng.child(dials), 4 * N, **dials)  # type: ignore[arg-type]
        table, label = rows_of(made), label_of(made)
        ours, theirs = made.bayes(table), source.bayes(table)
        losses = log_loss(label, theirs) - log_loss(label, ours)
        assert made.regret(source) == pytest.approx(losses, abs=0.02)


def test_more_concept_costs_more(rng: Rng) -> None:
    source = make_rows(rng, 10)
    regrets = [make_rows(rng, 10, concept=c).regret(source) for c in (0.0, 0.25, 0.5, 1.0)]
    assert regrets == sorted(regrets) and regrets[0] == 0 < regrets[1]


def test_distances_between_features_are_refused_where_they_are_not_gaussian(rng: Rng) -> None:
    with pytest.raises(UsageError, match=r"Expected made rows with label 0"):
        make_rows(rng, 10, label=0.1).divergence(make_rows(rng, 10))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"label": 0.5}, r"Expected the dial label from -0\.5 to 0\.5; found 0\.5"),
        ({"concept": 1.1}, "Expected the dial concept from 0 to 1"),
        ({"covariate": float("nan")}, "Expected the dial covariate"),
        ({"missing": 1.0}, "Expected at least 1 row"),
        ({"numeric": 2}, "Expected at least 1 row, 3 numeric columns"),
    ],
)
def test_a_dial_out_of_range_is_refused(
    wrong: Mapping[str, float], says: str, rng: Rng
) -> None:
    with pytest.raises(UsageError, match=says):
        make_rows(rng, 10, **wrong)  # type: ignore[arg-type]


# ── events ──────────────────────────────────────────────────────────────────


def test_the_same_key_gives_the_same_events(rng: Rng) -> None:
    a, b = make_events(rng, 20, 10), make_events(rng, 20, 10)
    c = make_events(rng.child("c"), 20, 10)
    assert a.domain.fingerprint == b.domain.fingerprint != c.domain.fingerprint


def test_events_are_shaped_as_a_domain_says(rng: Rng) -> None:
    made = make_events(rng, 20, 10, table=True, name="jp")
    events = made.domain.tables["events"]
    assert events.columns == ["user", "item", "time"]
    assert events["time"].is_sorted() and events["time"].n_unique() == events.height
    assert events["user"].n_unique() == 20
    assert made.domain.tables["items"]["item"].to_list() == list(made.ids)
    assert "time" not in make_events(rng, 20, 10, time=False).domain.tables["events"].columns


@pytest.mark.parametrize("dials", [{}, {"taste": 0.7}, {"popularity": 0.8}], ids=str)
def test_events_follow_the_stated_popularity_and_relations(
    dials: Mapping[str, float], rng: Rng
) -> None:
    made = make_events(rng, 20_000, 12, groups=3, **dials)  # type: ignore[arg-type]
    user, item = events_of(made)
    share = np.bincount(item, minlength=12) / len(item)
    np.testing.assert_allclose(share, made.popularity, atol=0.006)
    # Neighbours in a list sorted by user are two events of one user.
    order = np.argsort(user, kind="stable")
    same = user[order][1:] == user[order][:-1]
    pairs = item[order][:-1][same] * 12 + item[order][1:][same]
    found = (np.bincount(pairs, minlength=144) / len(pairs)).reshape(12, 12)
    np.testing.assert_allclose(found, made.relations, atol=0.004)
    np.testing.assert_allclose(made.relations.sum(axis=1), made.popularity, atol=1e-12)


def test_zero_dials_share_everything_but_users(rng: Rng) -> None:
    a, b = make_events(rng.child("a"), 30, 10), make_events(rng.child("b"), 30, 10, name="b")
    assert a.ids == b.ids and a.shared(b) == 1
    np.testing.assert_array_equal(a.relations, b.relations)
    users = [set(each.domain.tables["events"]["user"]) for each in (a, b)]
    assert not users[0] & users[1]


def test_catalogue_renames_its_share_of_the_items_and_nothing_else(rng: Rng) -> None:
    a, b = make_events(rng, 50, 20), make_events(rng, 50, 20, catalogue=0.25)
    assert b.shared(a) == 0.75
    np.testing.assert_array_equal(a.relations, b.relations)
    for ours, theirs in zip(events_of(a), events_of(b), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_taste_moves_relations_and_no_popularity(rng: Rng) -> None:
    a, b = make_events(rng, 50, 24), make_events(rng, 50, 24, taste=0.5)
    np.testing.assert_array_equal(a.popularity, b.popularity)
    assert a.ids == b.ids
    assert np.abs(a.lift - b.lift).max() > 1
    stays = [np.abs(a.lift - make_events(rng, 5, 24, taste=t).lift).mean() for t in (0, 0.5, 1)]
    assert stays == sorted(stays) and stays[0] == 0


def test_popularity_moves_popularity_and_no_lift(rng: Rng) -> None:
    a, b = make_events(rng, 50, 24), make_events(rng, 50, 24, popularity=1.0)
    assert np.abs(a.popularity - b.popularity).sum() > 0.3
    np.testing.assert_allclose(a.lift, b.lift, rtol=1e-12)
    for group in range(4):
        ours, theirs = (made.popularity[made.group == group] for made in (a, b))
        np.testing.assert_allclose(ours, theirs[::-1])


@pytest.mark.parametrize("dial", ["catalogue", "taste", "popularity"])
def test_an_event_dial_out_of_range_is_refused(dial: str, rng: Rng) -> None:
    with pytest.raises(UsageError, match=f"Expected the dial {dial} from 0 to 1; found 1.5"):
        make_events(rng, 5, 5, **{dial: 1.5})  # type: ignore[arg-type]


def test_an_empty_market_is_refused(rng: Rng) -> None:
    with pytest.raises(UsageError, match="Expected at least one user, item, group"):
        make_events(rng, 0, 5)


# ── posing ──────────────────────────────────────────────────────────────────


def test_both_tasks_take_made_markets(rng: Rng) -> None:
    rows = [make_rows(rng.child(name), 60, time=True, name=name) for name in "ts"]
    posed = Classify().pose(rows[0].domain, [rows[1].domain], Cut(cross_below=5), rng)
    assert posed.problem.fit.n and posed.exam.choose and posed.exam.judge
    events = [make_events(rng.child(name), 60, 20, name=name) for name in "ts"]
    posed = Recommend().pose(events[0].domain, [events[1].domain], Cut(), rng)
    assert posed.problem.fit.n and posed.exam.choose and posed.exam.judge
