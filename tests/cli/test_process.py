"""What only a process of its own can show: start-up, Ctrl-C, a kill, a closed pipe."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from acclimate.artifacts import store
from tests.cli.calls import COMMAND, Markets, rows

SLOW = ("torch", "sklearn", "lightgbm", "polars", "scipy", "numpy")
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


@pytest.mark.parametrize("words", [["--help"], ["adapt", "--help"], ["--version"]])
def test_help_waits_for_none_of_the_large_libraries(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from acclimate.cli.main import main\n"
        f"sys.argv = ['acclimate', *{words!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as stopped:\n"
        f"    slow = [name for name in {SLOW!r} if name in sys.modules]\n"
        "    print(slow, file=sys.stderr)\n"
        "    raise SystemExit(7 if slow else stopped.code)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "acclimate" in ran.stdout


def start(words: list[object]) -> subprocess.Popen[str]:
    """A run in a process of its own, from where its trials have begun."""
    process = subprocess.Popen(
        [str(COMMAND), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A pipe keeps what is written until it is full, and the trials would not be seen.
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if re.match(r"\s*\[1/\d+\]", line):
            return process
    raise AssertionError("no trial began")


@posix
def test_ctrl_c_is_one_line_and_leaves_the_last_run_as_it_was(markets: Markets) -> None:
    words = [*markets.classify(markets.write("shop", rows(1, 400))), "--split", "random"]
    process = start(words)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    said = next(line for line in process.stderr if line.startswith("stopping:"))
    assert said == "stopping: what was finished is judged; Ctrl-C again ends the run at once\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(out)["error"]["kind"] == "Interrupted"
    last = err.rstrip("\n").splitlines()[-1]
    assert last == (
        "stopped: nothing half-written; run the same command again, with --resume to keep "
        "what was finished"
    )
    assert err.count("stopped:") == 1 and "Traceback" not in err
    left = {path.name for path in markets.out.iterdir()} if markets.out.exists() else set()
    assert left <= {"trials.sqlite"}


@posix
def test_a_run_killed_in_the_middle_is_made_good_by_running_it_again(
    markets: Markets,
) -> None:
    words = [*markets.recommend(), "--split", "last"]
    run = [str(COMMAND), *map(str, words)]
    first = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    digest = store.digest_of(store.read_folder(markets.out / "artifact"))
    killed = start(words)
    killed.kill()
    killed.communicate(timeout=30)
    assert killed.returncode == -signal.SIGKILL
    assert store.digest_of(store.read_folder(markets.out / "artifact")) == digest
    again = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert without_seconds(again) == without_seconds(first)
    names = {path.name for path in markets.out.iterdir()}
    assert names == {"artifact", "report.html", "run.json"}


@posix
def test_a_reader_that_goes_away_is_no_traceback(markets: Markets) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [str(COMMAND), "check", str(markets.write("shop", rows(1))), "--json"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        check=False,
    )
    os.close(writer)
    assert ran.returncode == 0
    assert "Traceback" not in ran.stderr and "BrokenPipe" not in ran.stderr


def without_seconds(text: str) -> str:
    return re.sub(r'"seconds": [0-9.e-]+', "", text)
