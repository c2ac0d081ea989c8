"""Run one benchmark: `python -m benchmarks NAME [options] [--json]`.

`--list` names them all.  With `--json` stdout holds one JSON object a line and
nothing else; without, a small table.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable, Sequence

from acclimate.errors import AcclimateError
from benchmarks.line import Line

# name: (module, one line).  A new benchmark is a module and an entry here.
BENCHMARKS: dict[str, tuple[str, str]] = {
    "kills": ("benchmarks.kills", "runs that are killed at random moments and resumed"),
    "budget": ("benchmarks.budget", "whether seconds are kept, and baselines finished in them"),
    "guard": ("benchmarks.guard", "how often the verdict adopts what does not help"),
    "gaps": ("benchmarks.gaps", "level, dials and speed of every measure of the gap"),
    "placebo": ("benchmarks.placebo", "whether what is adopted is owed to its sources"),
    "cross_market": (
        "benchmarks.cross_market",
        "one market learns from the others",
    ),
    "wsdm22": (
        "benchmarks.wsdm22",
        "given candidates, all markets, few rows",
    ),
    "choice": ("benchmarks.choice", "how well what ships is chosen, on listed problems"),
    "cross_border": ("benchmarks.cross_border", "countries of one shop learn from its home"),
    "cross_category": (
        "benchmarks.cross_category",
        "one category learns from what its users took in another",
    ),
    "behaviours": ("benchmarks.behaviours", "orders predicted with views and carts"),
    "cold_start": (
        "benchmarks.cold_start",
        "new users and new items, with attributes and few events",
    ),
    "categories": ("benchmarks.categories", "product categories as tasks, and as targets"),
    "reliability": (
        "benchmarks.reliability",
        "kills, crowds, full disks and poisoned artifacts",
    ),
    "scale": ("benchmarks.scale", "ten million events from a file to a model's matrix"),
    "matching": ("benchmarks.matching", "titles of one market find those of others"),
    "fewshot": (
        "benchmarks.fewshot",
        "a meta-learned start and few labels, beside fine-tuning",
    ),
    "fuzz": ("benchmarks.fuzz", "damaged and odd files at the door"),
    "labels": ("benchmarks.labels", "how many target labels the choice saves"),
    "networks": ("benchmarks.networks", "aligned and shared networks beside plain ones"),
    "multitask": ("benchmarks.multitask", "several tasks at once, beside each alone"),
    "tagging": ("benchmarks.tagging", "spans in titles, with few labels of the target's own"),
    "sentiment": ("benchmarks.sentiment", "opinions of a category nobody labelled"),
    "stress": ("benchmarks.stress", "every awkward way to transfer, beside doing without"),
    "shapes": ("benchmarks.shapes", "labels of one domain's images for another's"),
    "shifts": ("benchmarks.shifts", "four kinds of simulated shift, beside published figures"),
    "speed": ("benchmarks.speed", "how many times as fast as a peer"),
    "twins": ("benchmarks.twins", "real rows beside planted harm and planted benefit"),
}

COLUMNS = ("data", "target", "arm", "metric", "value", "low", "high", "n", "reference")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0, or 2 for a call that cannot be understood."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--list", action="store_true", help="name every benchmark")
    commands = parser.add_subparsers(dest="name", metavar="NAME")
    for name, (_, about) in BENCHMARKS.items():
        commands.add_parser(name, help=about, add_help=False)
    known, rest = parser.parse_known_args(words)
    if known.list or known.name is None:
        for name, (_, about) in BENCHMARKS.items():
            print(f"{name:<16}{about}")
        return 0 if known.list else 2
    module = importlib.import_module(BENCHMARKS[known.name][0])
    own = argparse.ArgumentParser(
        prog=f"python -m benchmarks {known.name}",
        description=BENCHMARKS[known.name][1],
    )
    own.add_argument("--json", action="store_true", help="one JSON object a line")
    module.add_arguments(own)
    args = own.parse_args(rest)
    lines: Iterable[Line] = module.run(args)
    try:
        if args.json:
            for line in lines:
                print(line.to_json(), flush=True)
        else:
            print_table(lines)
    except (AcclimateError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    return 0


def print_table(lines: Iterable[Line]) -> None:
    """The columns that a reader compares, one row a line; empty where nothing is known."""
    table = [COLUMNS, *(tuple(_cell(line.as_row()[c]) for c in COLUMNS) for line in lines)]
    used = [i for i in range(len(COLUMNS)) if any(row[i] for row in table[1:])]
    width = {i: max(len(row[i]) for row in table) for i in used}
    for row in table:
        print("  ".join(f"{row[i]:<{width[i]}}" for i in used).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
