"""Few labels: what a meta-learned start is worth beside joint training and fine-tuning.

Three parts.  Sinusoids: the mean squared error of tasks never seen, after ten steps on
ten labels, with the interval over tasks.  Categories of reviews (`--reviews FILE`, columns
`cat`, `label` and a text): each category in turn is the target, the others are sources.
Schools (`--schools FILE`, a MATLAB file of X and Y, one cell a school): scores of pupils;
schools that were never seen, with few labels each.  Files that are not named are looked for
in `--data`; a part without its file is left out, and said so.  Settings are the defaults:
nothing is tuned on what is judged.  Meta-learners choose on the target's own labels when to
stop; so do `finetune-stopped`, which the others are compared with, and `joint-descent`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.fewshot_rows import reviews, schools
from benchmarks.fewshot_sinusoids import LEARNERS, sinusoids
from benchmarks.line import Line

# Below `--data`, where no file is named.
REVIEWS = "online_shopping_10_cats/shared_8_cats.csv.gz"
SCHOOLS = "school/school.mat"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--quick", action="store_true", help="little of everything")
    parser.add_argument("--steps", type=int, default=30_000, help="of MAML's outer loop")
    parser.add_argument("--others", type=int, default=3_000, help="of Reptile's and AML's")
    parser.add_argument("--learner", action="append", choices=LEARNERS, help="of sinusoids")
    parser.add_argument("--tasks", type=int, default=1000, help="sinusoids to test on")
    parser.add_argument("--part", action="append", choices=["sinusoid", "reviews", "schools"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="a folder")
    parser.add_argument("--reviews", help="a table with the columns cat, label and a text")
    parser.add_argument("--schools", help="a MATLAB file of X and Y")
    parser.add_argument("--each", type=int, default=1000, help="rows of a category at most")
    parser.add_argument("--shots", type=int, action="append", help="labels (a class); repeat")
    parser.add_argument("--target", action="append", help="a category; all without")
    parser.add_argument("--arm", action="append", help="a strategy; repeat")
    parser.add_argument("--draws", type=int, default=2, help="of labels, a target")
    parser.add_argument("--minutes", type=float, default=1e9, help="then no further target")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """The lines of each part."""
    parts = args.part or ["sinusoid", "reviews", "schools"]
    if "sinusoid" in parts:
        yield from sinusoids(args)
    args.reviews = args.reviews or there(args.data / REVIEWS, "reviews" in parts)
    args.schools = args.schools or there(args.data / SCHOOLS, "schools" in parts)
    if "reviews" in parts and args.reviews:
        yield from reviews(args)
    if "schools" in parts and args.schools:
        yield from schools(args)


def there(file: Path, asked: bool) -> str | None:
    """A file's name if there is one, and word of it if one was asked for and is missing."""
    if asked and not file.is_file():
        print(f"left out: {file} is not there, and no other file is named", file=sys.stderr)
    return str(file) if file.is_file() else None
