"""Kill runs at random moments and resume them: the end must be that of an undisturbed run.

Each run adapts on made markets in a process of its own, is killed (SIGKILL) at a moment drawn
evenly over the time that the undisturbed run takes to try its arms, and is resumed.  Lines:

    same     share of resumed runs whose finished trials, verdict, judged scores and what ships
             equal those of the undisturbed run
    lost     finished trials that the resumed run tried again; none is right
    stuck    resumed runs that did not end
    redone   trials in all that ran when the kill came and were tried once more
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.line import Line

if TYPE_CHECKING:
    from acclimate.domains.problem import Problem
    from acclimate.plans.trial import Trial
    from acclimate.strategies.arm import Arm

PATIENCE = 300  # seconds after which a run is stuck
# Imported before the first fork, and used by none but the forks.
ONCE: tuple[str, ...] = (
    "acclimate.workflow",
    "acclimate.strategies.catalogue",
    "acclimate.domains.synthetic",
)
ONCE += ("sklearn.linear_model", "lightgbm", "optuna", "sqlalchemy", "scipy.optimize")
BEGUN, MARKS = "begun", "marks"
PARTS = ("leaderboard", "verdict", "settings", "shipped", "judged", "plan", "facts")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rows", type=int, default=160, help="of the target")
    parser.add_argument("--trials", type=int, default=None, help="search so many settings")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    for name in ONCE:
        importlib.import_module(name)

    started = time.monotonic()
    given = {"rows": args.rows, "seed": args.seed, "trials": args.trials}
    drawn = np.random.default_rng(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        assert _ended(_start(root / "undisturbed", given), PATIENCE) == 0
        first, last = (root / "undisturbed" / name for name in (BEGUN, MARKS))
        whole = last.stat().st_mtime - first.stat().st_mtime
        wanted, trials = _outcome(root / "undisturbed"), len(_marks(root / "undisturbed"))
        same = lost = stuck = redone = cut = kept = 0
        for number in range(args.kills):
            ended = True
            while ended:  # a run that ended before it could be killed shows nothing
                out = root / f"{number}-{cut}"
                cut += 1
                child = _start(out, given)
                while not (out / BEGUN).exists():
                    time.sleep(0.001)
                time.sleep(float(drawn.uniform(0, whole)))
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                ended = (out / "run.json").exists()
            finished = set(_marks(out))
            kept += len(finished)
            code = _ended(_start(out, given, resume=True), PATIENCE)
            stuck += code is None
            again = _marks(out)[len(finished) :]
            lost += len(finished & set(again))
            redone += len(again) + len(finished) - trials
            same += code == 0 and _outcome(out) == wanted
            print(
                f"{number + 1}/{args.kills}: killed after {len(finished)} of {trials} trials, "
                f"then {len(again)}; {same} the same",
                file=sys.stderr,
            )
    n = args.kills
    common: dict[str, Any] = {
        "benchmark": "kills",
        "data": f"made rows, {args.rows} of the target",
        "arm": f"{trials} trials of {whole:.1f} s, {kept} trials kept",
        "n": n,
        "seed": args.seed,
        "seconds": round(time.monotonic() - started, 1),
    }
    yield Line(**common, metric="same", value=same / n, reference=1.0)
    yield Line(**common, metric="lost", value=float(lost), reference=0.0)
    yield Line(**common, metric="stuck", value=float(stuck), reference=0.0)
    yield Line(**common, metric="redone", value=float(redone))


def _start(out: Path, given: dict[str, Any], *, resume: bool = False) -> int:
    """A forked run; its process id.  Nothing was computed before, so that forks are whole."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        adapted(out, resume=resume, **given)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def adapted(out: Path, *, rows: int, seed: int, trials: int | None, resume: bool) -> None:
    """One run, which marks every trial that it finished itself."""
    import acclimate as ac
    from acclimate.domains.synthetic import make_rows
    from acclimate.plans.store import Store
    from acclimate.rng import Rng
    from acclimate.settings import settings

    os.environ["ACCLIMATE_HOME"] = str(out / "home")
    settings.cache_clear()
    keep, found = Store.keep, Store.found

    def marked(self: Store, arm: Arm, trial: Trial, how: str = "tuned") -> None:
        keep(self, arm, trial, how)
        with (out / MARKS).open("a") as file:
            file.write(self.name_of(arm, how) + "\n")

    def asked(self: Store, arm: Arm, problem: Problem, how: str = "tuned") -> Trial | None:
        out.mkdir(exist_ok=True)
        if not (out / BEGUN).exists():
            (out / BEGUN).touch()
        return found(self, arm, problem, how)

    Store.keep, Store.found = marked, asked  # type: ignore[method-assign]
    key = Rng.of(seed).child("made")
    target = make_rows(key.child("t"), rows, name="target").domain
    sources = [make_rows(key.child(name), rows, name=name).domain for name in ("near", "other")]
    searched: dict[str, Any] = {} if trials is None else {"trials": trials}
    ac.adapt(
        ac.Classify(),
        sources,
        target,
        out=out,
        resume=resume,
        seed=seed,
        budget_seconds=1000.0,
        models=("linear",),
        **searched,
    )


def _ended(child: int, seconds: float) -> int | None:
    """The exit code of a run, or None for one that is stuck, which is then killed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _marks(out: Path) -> list[str]:
    """Every trial that a run finished, in order."""
    path = out / MARKS
    return path.read_text().split() if path.exists() else []


def _outcome(out: Path) -> dict[str, Any]:
    """What must be equal: everything but the seconds."""
    summary = json.loads((out / "run.json").read_text())
    found: dict[str, Any] = {name: summary[name] for name in PARTS}
    for row in found["leaderboard"]:
        row.pop("seconds")
    return found
