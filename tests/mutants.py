"""Break each method's formula on purpose and demand that a test notices.

`make mutants` applies the edits of `mutants.toml`, one at a time, to a copy of the tree,
and runs the tests named beside each.  It fails where they pass all the same, where an
edit no longer fits the file, and where they fail without any edit.

    python -m tests.mutants [METHOD …] [--from NUMBER]

The numbers printed are those of the list, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.forks import Run, fork_runs

ROOT = Path(__file__).parent.parent
LIST = Path(__file__).with_name("mutants.toml")
PASSED, FAILED, HUNG = 0, 1, None  # pytest's exit codes; others say it could not run
HALVES = 2  # of the unbroken tests, run at once


@dataclass(frozen=True)
class Mutant:
    """One wrong formula.

    before  text that stands exactly once in the file
    after   what is put in its place
    tests   ids of the tests that must fail then
    """

    method: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    def unfit(self) -> str | None:
        """Why it cannot be applied, or None."""
        count = (ROOT / self.file).read_text("utf-8").count(self.before)
        if count == 1:
            return None
        return f"expected the text to replace once in {self.file}, found it {count} times"

    def run(self) -> Run:
        """Its tests on a tree that holds it."""
        text = (ROOT / self.file).read_text("utf-8")
        return Run(self.tests, {self.file: text.replace(self.before, self.after)})


def mutants() -> list[Mutant]:
    """Every mutant of the list."""
    listed = tomllib.loads(LIST.read_text("utf-8"))["mutant"]
    return [Mutant(**(each | {"tests": tuple(each["tests"])})) for each in listed]


def verdict(code: int | None, said: str) -> str | None:
    """What a run of pytest on a broken tree says against the tests, or None."""
    if code == FAILED:
        return None
    if code == PASSED:
        return "its tests pass all the same"
    if code is HUNG:
        return "its tests did not end in time"
    return f"its tests could not be run (exit code {code}): {said[-300:]}"


def survivals(chosen: Sequence[Mutant]) -> Iterator[tuple[Mutant, str | None]]:
    """Each mutant as it ends, and why it was not caught, or None."""
    fit = [mutant for mutant in chosen if mutant.unfit() is None]
    yield from ((mutant, mutant.unfit()) for mutant in chosen if mutant not in fit)
    for number, code, said in fork_runs(ROOT, [mutant.run() for mutant in fit]):
        yield fit[number], verdict(code, said)


def unbroken(chosen: Sequence[Mutant]) -> str:
    """What pytest says where tests fail without any mutant; empty where they pass."""
    tests = sorted({test for mutant in chosen for test in mutant.tests})
    parts = [tuple(tests[start::HALVES]) for start in range(HALVES)]
    # A test's own limit holds for every test of a part.
    runs = [Run(part, {}, limit_seconds=30 * 60) for part in parts if part]
    return "".join(said[-2000:] for _, code, said in fork_runs(ROOT, runs) if code != PASSED)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where every mutant was caught."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("method", nargs="*", help="only these methods")
    parser.add_argument("--from", type=int, default=1, dest="first", metavar="NUMBER")
    asked = parser.parse_args(arguments)
    whole = mutants()
    chosen = [
        m for m in whole[asked.first - 1 :] if not asked.method or m.method in asked.method
    ]
    if not chosen:
        wanted = ", ".join(asked.method) or f"number {asked.first}"
        print(f"Expected methods of {LIST.name}, found {wanted}.", file=sys.stderr)
        return 2
    if said := unbroken(chosen):
        print(f"The tests fail without any mutant:\n{said}", file=sys.stderr)
        return 1
    survived = 0
    for mutant, why in survivals(chosen):
        survived += why is not None
        number = whole.index(mutant) + 1
        answer = "caught" if why is None else "SURVIVED: " + why
        print(f"{number:3} {mutant.method:24} {answer}", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} mutants caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
