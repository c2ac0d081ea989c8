"""How well is chosen: made problems solved, stored and replayed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from acclimate.domains.exam import Truth
from acclimate.domains.sample import Interactions, Rows
from acclimate.domains.synthetic import make_rows
from acclimate.errors import UsageError
from acclimate.plans.prior import Standing
from acclimate.rng import Rng
from benchmarks import choice_store as store
from benchmarks import choice_ways as ways
from benchmarks.__main__ import main
from benchmarks.choice import LIST
from benchmarks.choice_learn import learn
from benchmarks.choice_posed import audited, given_rows, last_items, read_list
from benchmarks.choice_replay import Replay, Shipped
from benchmarks.choice_solved import Solved, thinned

ONE = """
[[problem]]
name = "made"
task = "classify"
label = "label"
target = "shop/target.csv"
sources = ["shop/source.csv"]
labels = 40
models = ["linear"]
"""
ARMS = ("target-only/linear", "pooled/linear", "source-prior/linear", "blend/linear")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data: a target of 300 rows and a source of 200 like it."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "shop").mkdir()
    for name, rows in (("target", 300), ("source", 200)):
        made = make_rows(Rng.of(rows), rows, name=name).domain
        made.tables["rows"].write_csv(folder / "shop" / f"{name}.csv")
    (folder / "list.toml").write_text(ONE)
    return folder


def made(units: dict[str, np.ndarray], name: str = "made", **changes: object) -> Replay:
    """A solved problem with these unit scores of `ARMS`; a second of tuning each."""
    seconds = {"screen": [0.1, 0.1], "tune": 0.75, "fit": 0.25}
    rows = [
        {
            "arm": arm,
            "strategy": arm.partition("/")[0],
            "model": "linear",
            "transfers": not arm.startswith("target-only"),
            "reason": "",
            "remedy": False,
            "seconds": seconds,
            "status": "done",
        }
        for arm in ARMS
    ]
    about = {
        "name": name,
        "data": name,
        "task": "classify",
        "kind": "classify",
        "metric": {"name": "log-loss", "sign": -1.0, "delta": 0.005, "root": False},
        "n_fit": 40,
        "n_units": {"judge": 400, "audit": 400, "choose": 400, "screen": 40},
        "sources": [{"name": "s", "n": 100}],
        "gap": [],
        **changes,
    }
    return Replay(Solved(about, rows, units), Rng.of(3))


def losses(*means: float, n: int = 400, seed: int = 0) -> np.ndarray:
    """Unit losses of arms with these means, close to each other in each unit."""
    noise = np.random.default_rng(seed).normal(0, 0.05, (len(means), n))
    shared = np.random.default_rng(seed + 1).exponential(0.2, n)
    found: np.ndarray = np.array(means)[:, None] + shared + noise
    found -= noise.mean(axis=1, keepdims=True)
    return found


def problem(*means: float, screen: tuple[float, ...] | None = None) -> Replay:
    parts = {
        part: losses(*means, seed=n) for n, part in enumerate(("choose", "judge", "audit"))
    }
    return made({**parts, "screen": losses(*(screen or means), n=40, seed=9)})


# ── the list and the sealed part ────────────────────────────────────────────


def test_the_list_has_what_was_promised() -> None:
    listed = read_list(LIST)
    assert len(listed) >= 40
    assert {each.task for each in listed} == {"classify", "regress", "recommend"}
    assert min(e.labels for e in listed) == 20 and max(e.labels for e in listed) == 5000
    assert {each.harm for each in listed} == {None, "flipped", "noise"}
    assert any(len(each.sources) > 1 for each in listed)


def test_a_list_with_a_name_twice_or_an_unknown_harm_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text(ONE * 2)
    with pytest.raises(UsageError, match="found twice: \\['made'\\]"):
        read_list(path)
    path.write_text(ONE + 'harm = "turned"\n')
    with pytest.raises(UsageError, match="found 'classify' and 'turned'"):
        read_list(path)


def test_nothing_that_is_given_is_in_the_audit(data: Path) -> None:
    [listed] = read_list(data / "list.toml")
    given = audited(listed, data, Rng.of(0))
    fit, shown = given.posed.problem.fit, given.posed.whole.fit
    assert isinstance(fit, Rows) and isinstance(shown, Rows)
    numbers = [n for n, kind in fit.types.items() if kind == "numeric"]
    audit = set(given.audit.query.columns[numbers[0]].to_list())
    whole = set(shown.columns[numbers[0]].to_list())
    unlabelled = given.posed.problem.unlabelled
    assert unlabelled is not None and not audit & whole
    assert len(whole) + unlabelled.n == given_rows(300, 40) == 150
    assert given.audit.truth.n_units == 150
    assert given.posed.problem.fit.n == given.ships.fit.n == 40


def test_planted_harm_is_in_the_sources_alone(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text(ONE)
    [plain] = read_list(path)
    path.write_text(ONE + 'harm = "flipped"\n')
    [flipped] = read_list(path)
    path.write_text(ONE + 'harm = "noise"\n')
    [noise] = read_list(path)
    a, b, c = (audited(each, data, Rng.of(0)) for each in (plain, flipped, noise))
    ours = []
    for each in (a, b, c):
        sample = each.posed.problem.sources[0].sample
        assert isinstance(sample, Rows)
        ours.append(np.asarray(sample.label))
    np.testing.assert_array_equal(ours[1], 1 - ours[0])
    assert 0.3 < np.mean(ours[2] == ours[0]) < 0.75 and ours[2].sum() == ours[0].sum()
    np.testing.assert_array_equal(
        np.asarray(a.audit.truth.label), np.asarray(b.audit.truth.label)
    )


def test_users_are_asked_for_their_last_item_with_the_others_known() -> None:
    none = np.empty(0, np.int64)
    items = np.array(["a", "b", "c"], dtype=object)
    known = Interactions(none, none, np.array([], dtype=object), items)
    events = pl.DataFrame(
        {"user": ["u", "u", "u", "v", "v", "w"], "item": ["a", "b", "a", "c", "new", "a"]}
    )
    case = last_items(events, ["u", "v", "w"], known)
    assert list(case.query.users) == ["u", "v"]  # w has one item, and nothing is known of them
    truth = case.truth
    assert truth.item is not None and truth.user is not None and truth.missed is not None
    assert [items[i] for i in truth.item] == ["b"] and list(truth.user) == [0]
    assert list(truth.missed) == [0, 1]  # nobody given took "new"
    assert sorted(case.context.item) == [0, 2]


# ── solving, storing, and the command ───────────────────────────────────────


def test_a_problem_is_solved_once_and_replayed_from_what_is_stored(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["choice", "--problems", str(data / "list.toml"), "--results", str(tmp_path)]
    assert main([*words, "--data", str(data), "--json"]) == 0
    first = capsys.readouterr()
    assert "made is stored" in first.err
    lines = [json.loads(line) for line in first.out.splitlines()]
    arms = {line["arm"] for line in lines}
    assert {"acclimate", "textbook", "random", "oracle choosing the same way"} <= arms
    for metric in ("problems", "regret", "regret-p90", "cost", "harm", "power"):
        assert any(line["metric"] == metric for line in lines if line["arm"] == "acclimate")
    stamp = store.path_of(tmp_path, "made").stat().st_mtime_ns
    assert main([*words, "--data", str(data), "--json"]) == 0
    second = capsys.readouterr()
    assert second.out == first.out and "stored" not in second.err
    assert store.path_of(tmp_path, "made").stat().st_mtime_ns == stamp
    assert main([*words, "--cached", "--json"]) == 0
    assert capsys.readouterr().out == first.out
    solved = store.read(tmp_path, "made")
    done = [row for row in solved.arms if row["status"] == "done"]
    assert [row["arm"] for row in done][:2] == ["target-only/linear", "source-only/linear"]
    assert solved.units["audit"].shape == (len(done), 150)
    assert all(row["tried"] and row["seconds"]["tune"] > 0 for row in done)


def test_data_that_are_absent_are_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["choice", "--problems", str(data / "list.toml"), "--results", str(tmp_path)]
    assert main([*words, "--data", str(tmp_path), "--json"]) == 0
    captured = capsys.readouterr()
    assert "made is skipped: no shop/source.csv, shop/target.csv" in captured.err
    assert captured.out == ""


def test_stored_scores_are_half_as_long_and_nearly_the_same() -> None:
    whole = problem(0.5, 0.4, 0.4, 0.4).solved
    small = thinned(whole)
    assert small.units["audit"].dtype == np.float16
    back = small.units["audit"].astype(float) * small.about["scale"]
    np.testing.assert_allclose(back, whole.units["audit"], rtol=1e-3)


# ── the replay ──────────────────────────────────────────────────────────────


def test_what_ships_is_the_pick_where_it_is_adopted_and_target_only_where_not() -> None:
    helped = problem(0.5, 0.4, 0.6, 0.6)
    assert helped.ship(range(4)) == Shipped(1, "adopt")
    harmed = problem(0.4, 0.5, 0.6, 0.6)
    assert harmed.ship(range(4)) == Shipped(0, "keep-target-only")
    assert harmed.ship([0]) == Shipped(0, "keep-target-only")


def test_regret_is_what_is_lost_against_the_best_in_hindsight_on_the_other_half() -> None:
    replay = problem(0.5, 0.4, 0.6, 0.6)
    audit = replay.solved.units["audit"]
    wanted = []
    for seen, asked in (replay.halves, replay.halves[::-1]):
        best = audit[:, seen].mean(axis=1).argmin()
        assert best == 1
        wanted.append(audit[0, asked].mean() / audit[1, asked].mean() - 1)
    assert replay.regret(0) == pytest.approx(np.mean(wanted))
    assert replay.regret(1) == 0


def test_a_best_of_one_half_by_luck_is_no_best_of_the_other() -> None:
    # Two arms alike, each better on one half by luck: compared there, neither would lose less.
    replay = problem(0.5, 0.5, 0.9, 0.9)
    one, other = replay.halves
    audit = replay.solved.units["audit"]
    audit[0], audit[1] = 0.5, 0.5
    audit[0, one], audit[1, other] = 0.4, 0.4
    assert replay.regret(0) == pytest.approx((0 + (0.4 - 0.5) / 0.5) / 2)


def test_harm_and_strength_are_told_by_the_audit() -> None:
    replay = problem(0.5, 0.4, 0.6, 0.6)
    assert replay.harmed(2) and not replay.harmed(1) and not replay.harmed(0)
    assert replay.strong
    assert not problem(0.5, 0.499, 0.6, 0.6).strong


def test_the_half_stopped_early_costs_its_screening_alone() -> None:
    replay = problem(0.5, 0.45, 0.4, 0.6, screen=(0.0, 0.0, 0.3, 0.7))
    table = learn([replay], {})
    assert not any(s.put_off for s in table.kinds["classify"].values() if s.cost <= 0.2)
    none = {k: {n: _kept(s) for n, s in v.items()} for k, v in table.kinds.items()}
    chosen = ways.halved(replay, type(table)(none, {}))
    # Target-only, pooled and the better screened are tuned; both are screened at .1 of 1 s.
    assert chosen.cost == pytest.approx((3 + 0.2) / 4)
    assert chosen.at == 2
    worse = problem(0.5, 0.45, 0.4, 0.6, screen=(0.0, 0.0, 0.7, 0.3))
    assert ways.halved(worse, type(table)(none, {})).at == 1


def _kept(standing: Standing) -> Standing:
    return replace(standing, put_off=False)


def test_what_is_dear_is_put_off_and_what_is_learned_leaves_the_data_set_out() -> None:
    dear = problem(0.5, 0.45, 0.4, 0.6)
    for row in dear.solved.arms:
        row["seconds"] = {"screen": [0.01, 0.01], "tune": 1.0, "fit": 0.0}
    dear.solved.arms[3]["seconds"] = {"screen": [0.01, 0.01], "tune": 17.0, "fit": 0.0}
    other = problem(0.5, 0.45, 0.4, 0.6)
    other.solved.about["data"] = "another"
    off = {n for n, s in learn([dear], {}).kinds["classify"].items() if s.put_off}
    assert off == {("blend", "linear")}
    seen: list[list[str]] = []

    def heard(some: Iterator[Replay]) -> object:
        seen.append([replay.solved.about["data"] for replay in some])
        return learn(list(some), {})

    ways.by_leaving_out([dear, other], heard)  # type: ignore[arg-type]
    assert seen == [["another"], ["made"]]


def test_random_search_spends_no_more_than_it_may() -> None:
    replay = problem(0.5, 0.45, 0.4, 0.6)
    for each in ways.random(replay, 0.55, Rng.of(0)):
        assert each.cost <= 0.55
    assert {each.at for each in ways.random(replay, 0.55, Rng.of(0))} == {0, 1, 2}


def test_a_root_of_a_mean_is_a_root_in_every_figure() -> None:
    replay = problem(4.0, 1.0, 4.0, 4.0)
    replay.solved.about["metric"] = {"name": "rmse", "sign": -1.0, "delta": 0.1, "root": True}
    value = np.sqrt(replay.solved.units["audit"][1].mean())
    assert replay.value("audit", 1) == pytest.approx(value)
    weight = np.ones((1, 400))
    scored = replay.task.score(replay.solved.units["audit"][1], Truth(np.arange(400)), weight)
    assert scored == pytest.approx(value)
    effect = replay.effect("audit", 1, 0)
    assert effect.value == pytest.approx(replay.value("audit", 0) - value)
