"""`acclimate`: the commands, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import sys

import click
import typer

import acclimate
from acclimate.cli import adapt, check, demo, gap, predict, report
from acclimate.errors import AcclimateError

app = typer.Typer(
    name="acclimate",
    help="Take what models know in rich markets into a new one, and prove whether it helped.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 ok, 2 usage, 3 data, 4 not adopted, 5 drift, 6 budget, 7 integrity.",
)
app.command("check")(check.check)
app.command("gap")(gap.gap)
app.command("adapt")(adapt.adapt)
app.command("predict")(predict.predict)
app.command("report")(report.report)
app.command("demo")(demo.demo)


def _version(show: bool) -> None:
    if show:
        print(f"acclimate {acclimate.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Options of every command."""


def main() -> None:
    """Run a command; every mistake of a user ends in one message and an exit code."""
    try:
        code = app(standalone_mode=False)
    except click.exceptions.Abort:
        code = _stopped()
    except click.ClickException as error:
        error.show()
        code = 2
    except AcclimateError as error:
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = _stopped()
    except BrokenPipeError:
        # The reader of a pipe went away; Python must not complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _stopped() -> int:
    print("stopped: nothing half-written; run the same command again", file=sys.stderr)
    return 130


if __name__ == "__main__":
    main()
