"""`acclimate`: the commands, and the one place where an error becomes an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

import typer

import acclimate
from acclimate.cli import (
    adapt,
    check,
    crosswalk,
    curve,
    demo,
    diff,
    doctor,
    gap,
    key,
    plan,
    predict,
    promote,
    recommend,
    release,
    releases,
    report,
    rollback,
    serve,
    show,
)
from acclimate.errors import (
    EXIT_CODES,
    INTERRUPTED,
    AcclimateError,
    NotAdopted,
    UsageError,
    without_password,
)

# Typer has a copy of Click inside since 0.20 and stood on Click before: what all its
# refusals descend from is found through one that both export.
Refused = cast(
    type[typer.BadParameter],
    next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"),
)

app = typer.Typer(
    name="acclimate",
    help="Take what models know in rich markets into a new one, and prove whether it helped.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=f"Exit codes: {', '.join(f'{n} {said}' for n, said in EXIT_CODES.items())}.",
)
app.command("check")(check.check)
app.command("gap")(gap.gap)
app.command("crosswalk")(crosswalk.crosswalk)
app.command("adapt")(adapt.adapt)
app.command("predict")(predict.predict)
app.command("recommend")(recommend.recommend)
app.command("plan")(plan.plan)
app.command("curve")(curve.curve)
app.command("report")(report.report)
app.command("demo")(demo.demo)
_RELEASES = "Releases"
app.command("release", rich_help_panel=_RELEASES)(release.release)
app.command("promote", rich_help_panel=_RELEASES)(promote.promote)
app.command("rollback", rich_help_panel=_RELEASES)(rollback.rollback)
app.command("releases", rich_help_panel=_RELEASES)(releases.releases)
app.command("show", rich_help_panel=_RELEASES)(show.show)
app.command("diff", rich_help_panel=_RELEASES)(diff.diff)
app.command("serve", rich_help_panel=_RELEASES)(serve.serve)
app.command("key", rich_help_panel=_RELEASES)(key.key)
app.command("doctor", rich_help_panel=_RELEASES)(doctor.doctor)


def _version(show: bool) -> None:
    if show:
        print(f"acclimate {acclimate.__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Options of every command."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(UsageError.exit_code)


def main() -> None:
    """Run a command; every mistake of a user ends in one message and an exit code."""
    try:
        require_values(sys.argv[1:])
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except Refused as error:
        code = _refuse(_understandable(error), UsageError.exit_code)
    except NotAdopted as error:
        code = _refuse(str(error), error.exit_code, printed=True)
    except AcclimateError as error:
        code = _refuse(str(error), error.exit_code, type(error).__name__)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe went away; Python must not complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        code = _refuse(
            f"Expected files and folders that can be read and written; found: {error}. Check "
            "that path, your rights to it and the room on its disk.",
            UsageError.exit_code,
        )
    except ValueError as error:
        # The first command that reads its settings has imported this already; help has not.
        from pydantic import ValidationError

        if not isinstance(error, ValidationError):
            raise
        code = _refuse(
            "Expected variables ACCLIMATE_HOME, ACCLIMATE_DATA (folders), ACCLIMATE_THREADS, "
            "ACCLIMATE_WORKERS and ACCLIMATE_MAX_BYTES (whole numbers above 0); found: "
            f"{_settings(error.errors())}. Mend or unset what is named.",
            UsageError.exit_code,
        )
    if code == INTERRUPTED:
        stopped = "stopped: nothing half-written; run the same command again"
        if sys.argv[1:2] == ["adapt"]:
            stopped += ", with --resume to keep what was finished"
        print(stopped, file=sys.stderr)
        _as_json(stopped, INTERRUPTED, "Interrupted")
    sys.exit(code if isinstance(code, int) else 0)


def require_values(words: Sequence[str]) -> None:
    """Raises UsageError where an option of a command stands in the place of another's value."""
    command = getattr(typer.main.get_command(app), "commands", {}).get(next(iter(words), ""))
    if command is None:
        return
    takes = {
        name: not getattr(each, "is_flag", False)
        for each in command.params
        for name in each.opts
    }
    for word, after in pairwise([*words, None]):
        asks = word is not None and takes.get(word) and word.startswith("-")
        if asks and (after is None or after in takes):
            found = "none" if after is None else f"the option {after}"
            raise UsageError(
                f"Expected a value behind {word}; found {found}. See "
                f"`acclimate {words[0]} --help`."
            )


def _refuse(
    message: str, code: int, kind: str = UsageError.__name__, printed: bool = False
) -> int:
    """Say what is wrong on stderr and, where JSON was asked for, on stdout.

    printed  whether the one object of stdout is there already
    """
    told = without_password(message)
    print(f"error: {told}", file=sys.stderr)
    if not printed:
        _as_json(told, code, kind)
    return code


def _as_json(message: str, code: int, kind: str) -> None:
    """`{"error": {"kind", "message"}, "exit"}` for a program that asked for JSON."""
    if "--json" in sys.argv[1:]:
        said = {"error": {"kind": kind, "message": message}, "exit": code}
        print(json.dumps(said, ensure_ascii=False))


def _settings(errors: Sequence[Mapping[str, Any]]) -> str:
    """The variables that were wrong, each with what it holds."""
    named = [f"ACCLIMATE_{str(each['loc'][0]).upper()}={each['input']!r}" for each in errors]
    return ", ".join(named)


def _understandable(error: typer.BadParameter) -> str:
    """What Typer says of a command line, on one line, and where to read on."""
    path = error.ctx.command_path if error.ctx is not None else "acclimate"
    message = " ".join(error.format_message().split()).replace("Value error, ", "")
    message = message.rstrip(".")
    return f"{message}{'' if message.endswith('?') else '.'} See `{path} --help`."


if __name__ == "__main__":
    main()
