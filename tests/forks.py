"""Run tests of many edited trees, each in a fork of one process that has the libraries.

Importing them takes longer than most tests do.  The parent imports none of this project,
so that each fork imports its own tree; trees are copied once and mended after each run.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path

COPIED = ("src", "tests", "benchmarks", "examples", "docs", "pyproject.toml", "README.md")
AT_ONCE = 2
LIMIT_SECONDS = 300.0
NOT_RUN = 99  # no exit code of pytest's
# What takes long to import, where it is installed; LightGBM and polars start no threads yet.
LIBRARIES = (
    "numpy",
    "scipy.optimize",
    "scipy.sparse.linalg",
    "scipy.stats",
    "sklearn.linear_model",
    "sklearn.utils.estimator_checks",
    "torch",
    "lightgbm",
    "polars",
    "ot",
    "skada",
    "torchjd",
    "duckdb",
    "sqlalchemy",
    "jinja2",
    "rich.console",
    "typer",
    "hypothesis",
    "pytest",
)


@dataclass(frozen=True)
class Run:
    """Tests of the tree with some files replaced.

    tests          ids, as pytest reads them
    edits          whole texts by path
    limit_seconds  after which it is killed
    """

    tests: Sequence[str]
    edits: Mapping[str, str]
    limit_seconds: float = LIMIT_SECONDS


@dataclass
class Place:
    """A copy of the tree, and what runs in it now."""

    tree: Path
    number: int = -1
    process: ForkProcess | None = None
    ends: float = 0.0
    whole: dict[Path, str] = field(default_factory=dict)

    def begin(self, number: int, run: Run) -> None:
        """Edit the tree and start its tests."""
        for name, text in run.edits.items():
            self.whole[self.tree / name] = (self.tree / name).read_text("utf-8")
            (self.tree / name).write_text(text, "utf-8")
        self.number, self.ends = number, time.monotonic() + run.limit_seconds
        self.process = get_context("fork").Process(target=tested, args=(self.tree, run.tests))
        self.process.start()

    def end(self) -> tuple[int, int | None, str]:
        """The number, the exit code or None where time was up, and what was said; mended."""
        assert self.process is not None and self.process.pid is not None
        late = self.process.is_alive()
        with suppress(ProcessLookupError):  # what its tests started, too
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.join()
        code, self.process = (None if late else self.process.exitcode), None
        for file, text in self.whole.items():
            file.write_text(text, "utf-8")
        self.whole.clear()
        return self.number, code, said(self.tree).read_text("utf-8", "replace")

    @property
    def done(self) -> bool:
        """Whether its process has ended, or has to."""
        if self.process is None:
            return False
        return not self.process.is_alive() or time.monotonic() > self.ends


def fork_runs(root: Path, runs: Sequence[Run]) -> Iterator[tuple[int, int | None, str]]:
    """Each run as it ends: its number, pytest's exit code or None, and its output."""
    imported()
    waiting = list(enumerate(runs))[::-1]
    with ExitStack() as stack:
        stack.callback(lambda: [place.end() for place in places if place.process])
        places = [
            Place(copied(root, Path(stack.enter_context(folder()))))
            for _ in range(min(AT_ONCE, len(runs)))
        ]
        while waiting or any(place.process for place in places):
            for place in places:
                if place.process is None and waiting:
                    place.begin(*waiting.pop())
            wait([place.process.sentinel for place in places if place.process], timeout=1)
            yield from [place.end() for place in places if place.done]


def folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="mutant-")


def imported() -> None:
    """Import the libraries; one thread each, as what starts several cannot be forked."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for name in LIBRARIES:
        with suppress(ImportError):
            import_module(name)


def copied(root: Path, folder: Path) -> Path:
    """A copy of what tests read, in a folder of its own, beside what its tests say."""
    tree = folder / "tree"
    tree.mkdir()
    # Compiled files go along: what was edited since is newer than they are.
    ignored = shutil.ignore_patterns("results", "*.egg-info")
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, tree / name, ignore=ignored)
        else:
            shutil.copy(root / name, tree / name)
    return tree


def said(tree: Path) -> Path:
    """The file of what the tests of a tree say."""
    return tree.with_name("said.txt")


def tested(tree: Path, tests: Sequence[str]) -> None:
    """In the fork: run tests of a tree on its own sources, and end with pytest's exit code."""
    os.setpgid(0, 0)
    into = os.open(said(tree), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(into, stream)
    # The parent's own streams may lead elsewhere, as under a test runner.
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    own = {str(tree / "src"), str(tree)}
    root = str(Path(__file__).parent.parent)
    data = os.environ.get("ACCLIMATE_DATA", str(Path(root).parent / "shared" / "data"))
    os.environ |= {"PYTHONPATH": str(tree / "src"), "ACCLIMATE_DATA": data}
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # an edit in the same second goes unseen
    sys.dont_write_bytecode = True
    sys.path[:] = [*sorted(own), *(path for path in sys.path if path not in (root, "", "."))]
    for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "acclimate")]:
        del sys.modules[name]
    os.chdir(tree)
    code = NOT_RUN
    try:
        import pytest

        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
