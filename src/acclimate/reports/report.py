"""Write a run down: one HTML page that needs nothing else, and run.json beside it.

Before: the workflow summarised a run.  After: a person reads the page, and
`read_summary` gives the run back to a program.  The page holds no script and
asks for nothing from outside; strings from users' data are never markup.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import acclimate
from acclimate.domains.disk import replace_files
from acclimate.errors import IntegrityError, UsageError
from acclimate.reports import curve, figures, lists, tables
from acclimate.reports.language import ENGLISH, Language
from acclimate.reports.plain import plain
from acclimate.reports.why import undone, why
from acclimate.reports.wording import count, plain_value, seconds

if TYPE_CHECKING:
    from jinja2 import Template

SUMMARY = "run.json"
NEEDED = ("task", "target", "sources", "verdict", "leaderboard")
LARGEST_BYTES = 256 * 2**20

BADGES = {  # answer → class, sign, words: the sign says it without colour
    "adopt": ("adopt", "✓", "Adopt"),
    "keep-target-only": ("keep", "■", "Keep target-only"),
    "not-enough-data": ("unsure", "?", "Not enough data"),
    "provisional": ("provisional", "~", "Provisional"),
}
NO_BADGE = ("keep", "–", "No verdict")


def render(summary: Mapping[str, Any], say: Language = ENGLISH) -> str:
    """A complete HTML page in a language.

    summary  as `Result.summary`; whatever is missing or unknown is said to be so,
             and `samples`, rows of example predictions, may be added
    """
    return _template().render(**_page(plain(summary), say))


def write_report(summary: Mapping[str, Any], path: Path, say: Language = ENGLISH) -> None:
    """Write the page to `path` and the summary to run.json beside it.

    The summary is the same in every language.

    Each file is either the old one or the new one at any instant; nothing is
    replaced before both are on disk.
    Raises UsageError where they cannot be written.
    """
    path = Path(path)
    clean = plain(summary)
    page = _template().render(**_page(clean, say))
    text = json.dumps(clean, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_files({path.with_name(SUMMARY): text.encode(), path: page.encode()})
    except OSError as error:
        raise UsageError(
            f"Expected to write the report to {str(path)!r}; found that this is not possible "
            f"({error.strerror or error}). Name a folder with --out that can be written to."
        ) from error


def read_summary(folder: Path | str) -> dict[str, Any]:
    """The summary that `write_report` left in a run's folder.

    Raises UsageError where there is none, IntegrityError where it is damaged.
    """
    path = Path(folder) / SUMMARY
    if not path.is_file():
        raise UsageError(
            f"Expected the folder of a run, with a {SUMMARY} in it, at {str(folder)!r}; found "
            f"{_contents(Path(folder))}. Name the folder that was given to "
            "`acclimate adapt --out`, or run that first."
        )
    if path.stat().st_size > LARGEST_BYTES:
        raise _damaged(path, f"{count(path.stat().st_size)} bytes")
    try:
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except OSError as error:
        raise UsageError(
            f"Expected a {SUMMARY} that can be read at {str(path)!r}; found {error.strerror}. "
            "Give yourself the right to read it."
        ) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"text that is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise _damaged(path, f"a {type(found).__name__}")
    missing = [key for key in NEEDED if key not in found]
    if missing:
        raise _damaged(path, f"no {', '.join(missing)}")
    return found


def _page(run: dict[str, Any], say: Language) -> dict[str, Any]:
    """What the template shows, section by section."""
    verdict = run.get("verdict") or {}
    board = run.get("leaderboard") or []
    gap = run.get("gap") or []
    answer = verdict.get("answer")
    badge = BADGES.get(answer, NO_BADGE) if isinstance(answer, str) else NO_BADGE
    chosen = verdict.get("arm") if verdict.get("arm") != verdict.get("baseline") else None
    decided = run.get("sentence") or verdict.get("reason")
    sources = [str(name) for name in run.get("sources") or []]
    return {
        "say": say.markup,
        "lang": say.tag,
        "task": say.word(run.get("task") or "run"),
        "target": run.get("target") or say("no target"),
        "unit": say.word(verdict.get("unit") or "units"),
        "badge": (*badge[:2], say(badge[2])),
        "sentence": say.sentence(str(decided)) if decided else say("Nothing was decided."),
        "facts": tables.facts(verdict, say),
        "sources": say(", ").join(sources) or say("no source"),
        "contrasts": (figures.contrasts(verdict, say), tables.contrasts(verdict, say)),
        "shipped": _shipped(run, verdict, say),
        "unjudged": _unjudged(verdict),
        "refitted": (run.get("shipped") or {}).get("refit") is True,
        "artifact": run.get("artifact"),
        "command": _command(run.get("artifact")),
        "leaderboard": (
            figures.leaderboard(board, chosen, say, run.get("tied") or ()),
            tables.leaderboard(board, chosen, say, run.get("tied") or ()) if board else None,
        ),
        "chosen": chosen,
        "why": why(run.get("explanations") or {}, say),
        "undone": undone(run.get("explanations") or {}, say),
        "tied": len(run.get("tied") or ()),
        "left_out": figures.left_out(board),
        "curve": _curve(run.get("curve"), say),
        "judged": tables.judged(run.get("judged") or {}, say),
        "segments": lists.segments((run.get("beyond") or {}).get("segments") or [], say),
        "spreads": lists.spreads((run.get("beyond") or {}).get("spreads") or [], say),
        "gaps": (figures.gaps(gap, say), tables.gap(gap, say)),
        "gaps_left_out": max(0, len(gap) - figures.SHOWN_GAPS),
        "sentences": _sentences(gap, say),
        "plan": tables.plan(run.get("plan") or [], say),
        "put_off": tables.put_off(run.get("put_off") or [], say),
        "found": tables.found(run.get("facts") or {}, say),
        "refused": lists.refused(run.get("refused") or [], say),
        "unfinished": tables.unfinished(board, run.get("failed") or {}, say),
        "markets": [_market(each, run, say) for each in run.get("markets") or []],
        "notes": [say.sentence(str(note)) for note in run.get("notes") or []],
        "samples": tables.samples(run.get("samples") or [], say),
        "settings": tables.settings(run.get("settings") or {}, say),
        "seed": run.get("seed"),
        "took": seconds(run.get("seconds"), say),
        "version": acclimate.__version__,
    }


def _curve(found: object, say: Language) -> dict[str, Any] | None:
    """What labels buy, where `acclimate curve` was asked."""
    if not isinstance(found, Mapping):
        return None
    return {
        "said": curve.headline(found, say),
        "figure": curve.drawing(found, say),
        "table": curve.table(found, say),
    }


def _shipped(run: Mapping[str, Any], verdict: Mapping[str, Any], say: Language) -> str:
    """Which arm ships, and why this one."""
    arm = (run.get("shipped") or {}).get("arm")
    if not arm:
        return say("Nothing has been made to ship.")
    if verdict.get("answer") == "adopt":
        return say("{arm} ships, as the verdict is to adopt it.", arm=arm)
    if _unjudged(verdict):
        return say("{arm} ships provisionally, until there are labels to judge on.", arm=arm)
    if verdict.get("baseline") is None:
        return say("{arm} ships.", arm=arm)
    if arm != verdict["baseline"]:
        return say(
            "{arm} ships as the best guess, as was asked for; the verdict is not to adopt it.",
            arm=arm,
        )
    return say(
        "{arm} ships: it learns from the target alone, as the verdict is not to adopt.",
        arm=arm,
    )


def _unjudged(verdict: Mapping[str, Any]) -> bool:
    """Whether there was no label to judge by, so that sources alone were compared."""
    alone = str(verdict.get("baseline") or "target-only").startswith("target-only")
    return verdict.get("answer") == "provisional" or not alone


def _market(found: Mapping[str, Any], run: Mapping[str, Any], say: Language) -> dict[str, Any]:
    """Heading, table and findings of one market."""
    name = plain_value(found.get("name"))
    return {
        "heading": say("{name} (target)", name=name) if name == run.get("target") else name,
        "table": tables.market(found, say),
        "findings": [
            (
                str(each.get("level") or "note"),
                say.word(each.get("level") or "note"),
                each.get("table") and say.word(each["table"]),
                say.sentence(plain_value(each.get("message"))),
            )
            for each in found.get("findings") or []
        ],
    }


def _command(artifact: object) -> str | None:
    """How to use what ships, ready to paste."""
    if not artifact:
        return None
    return f"acclimate predict {shlex.quote(str(artifact))} INPUT --out OUT"


def _sentences(gap: Sequence[Mapping[str, Any]], say: Language) -> dict[str, list[str]]:
    """The findings in words, by source."""
    found: dict[str, list[str]] = {}
    for row in gap:
        if row.get("sentence"):
            found.setdefault(str(row.get("source")), []).append(
                say.sentence(str(row["sentence"]))
            )
    return found


@cache
def _template() -> Template:
    # Imported here: a command that writes no report need not wait for it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("acclimate.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")


def _contents(folder: Path) -> str:
    if folder.is_file():
        return "a file"
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError:
        return "no such folder"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "an empty folder"


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _damaged(path: Path, found: str) -> IntegrityError:
    return IntegrityError(
        f"Expected {str(path)!r} to be the summary of a run, a JSON object with "
        f"{', '.join(NEEDED)}; found {found}. A crash or an edit may have changed it: "
        "run `acclimate adapt` again, or bring the file back from a copy."
    )
