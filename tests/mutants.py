"""Break each method's formula on purpose and demand that a test notices.

`make mutants` applies the edits of `mutants.toml`, one at a time, to a copy of the tree,
and runs the tests named beside each.  It fails where they pass all the same, where an
edit no longer fits the file, and where they fail without any edit.

    python -m tests.mutants [METHOD …]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIST = Path(__file__).with_name("mutants.toml")
COPIED = ("src", "tests", "benchmarks", "examples", "docs", "pyproject.toml", "README.md")
AT_ONCE = 2
FAILED = 1  # what pytest exits with where a test failed; other codes say it could not run


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


def mutants() -> list[Mutant]:
    """Every mutant of the list."""
    listed = tomllib.loads(LIST.read_text("utf-8"))["mutant"]
    return [Mutant(**(each | {"tests": tuple(each["tests"])})) for each in listed]


def survival(mutant: Mutant) -> str | None:
    """Why a mutant was not caught, or None where its tests fail as they should."""
    if (why := mutant.unfit()) is not None:
        return why
    with copied() as tree:
        file = tree / mutant.file
        file.write_text(file.read_text("utf-8").replace(mutant.before, mutant.after), "utf-8")
        return verdict(tested(tree, mutant.tests))


def verdict(done: subprocess.CompletedProcess[str]) -> str | None:
    """What a run of pytest on a broken tree says against the tests, or None."""
    if done.returncode == FAILED:
        return None
    if done.returncode == 0:
        return "its tests pass all the same"
    return f"its tests could not be run (exit code {done.returncode}): {done.stdout[-300:]}"


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of what tests read, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        ignored = shutil.ignore_patterns("__pycache__", "results", "*.egg-info")
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, tree / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, tree / name)
        yield tree


def tested(tree: Path, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run tests of a tree on its own sources."""
    data = os.environ.get("ACCLIMATE_DATA", str(ROOT.parent / "shared" / "data"))
    own = {"PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        cwd=tree,
        env={**os.environ, **own, "ACCLIMATE_DATA": data, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where every mutant was caught."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("method", nargs="*", help="only these methods")
    asked = parser.parse_args(arguments).method
    chosen = [mutant for mutant in mutants() if not asked or mutant.method in asked]
    if not chosen:
        print(f"Expected methods of {LIST.name}, found {', '.join(asked)}.", file=sys.stderr)
        return 2
    with copied() as tree:
        unbroken = tested(tree, sorted({test for mutant in chosen for test in mutant.tests}))
    if unbroken.returncode:
        print(f"The tests fail without any mutant:\n{unbroken.stdout[-2000:]}", file=sys.stderr)
        return 1
    survived = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for mutant, why in zip(chosen, pool.map(survival, chosen), strict=True):
            survived += why is not None
            print(f"{mutant.method:24} {'caught' if why is None else 'SURVIVED: ' + why}")
    print(f"{len(chosen) - survived} of {len(chosen)} mutants caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
