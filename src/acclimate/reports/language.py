"""The languages of a report: English, and each table in `languages/`.

Before: the layers below composed English sentences and put them into the summary.
After: `tables`, `figures` and the template write every text in the reader's language.

A table has four parts.  `page` holds what the report itself says, by its English
template.  `words` holds single words, `units` what stands behind a number.  `sentences`
holds what the layers below say, by a pattern that reads like the string in their code.
A slot there is `{name}`, taken as it stands, or `{name:kind}`:

    n  a number        w  one of `words`    l  a list of names
    s  a sentence      u  one of `units`    m  a list of words and sentences
    o  a sentence or nothing                c  a name, or what is made of one
    k  a number and one of `units`, singular or plural, with its verb

A sentence may also be several, joined by "; ".  What no pattern knows stays English and
is marked so (`lang="en"`), for readers, for programs that read aloud, and for tests.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from acclimate.errors import UsageError
from acclimate.nearest import expected

SLOT = re.compile(r"\{(\w+)(?::([nwulsomck]))?\}")
NUMBER = r"[-+]?(?:\d[\d,.]*(?:e[-+]?\d+)?(?: ?%)?|inf)|nan|unknown"
# What is taken as it stands may hold anything but the joint of two sentences.
FORMS = {"n": f"({NUMBER})", "s": "(.+?)", "m": "(.+?)", "l": "(.+?)"}
NAME = "((?:(?!; ).)+?)"
COMMA, JOINTS = re.compile(", "), re.compile(", | and | or ")

# A slot may hold anything, so a long text could be tried in very many ways.
LONGEST = 4_000  # letters of a text with more than two slots
MOST = 40  # sentences or items of a list that are told apart
DEEPEST = 8  # sentences within sentences


class Pattern:
    """One sentence of the layers below: its English form, and how it reads here.

    forms  what a slot of each kind may hold, as regular expressions
    """

    def __init__(self, english: str, here: str, forms: Mapping[str, str]) -> None:
        self.english, self.here = english, here
        self.kinds = dict[str, str](SLOT.findall(english))
        self.fixed = [part for part in SLOT.split(english)[::3] if part]
        places = list(SLOT.finditer(english))
        ends = [0, *(place.end() for place in places)]
        starts = [*(place.start() for place in places), len(english)]
        fixed = [re.escape(english[a:b]) for a, b in zip(ends, starts, strict=True)]
        held = [forms.get(place[2] or "", NAME) for place in places]
        source = fixed[0] + "".join(a + b for a, b in zip(held, fixed[1:], strict=True))
        self.names = [place[1] for place in places]
        self._regex = re.compile(source, re.DOTALL)

    def match(self, text: str) -> dict[str, str] | None:
        """What each slot holds, or None."""
        if len(text) > LONGEST and len(self.names) > 2:
            return None
        at = 0
        for part in self.fixed:
            at = text.find(part, at)
            if at < 0:
                return None
            at += len(part)
        found = self._regex.fullmatch(text)
        return None if found is None else dict(zip(self.names, found.groups(), strict=True))


# How lists that were cut short end.
MORE = Pattern("{shown:l} and {n:n} more", "", FORMS)


@dataclass(frozen=True)
class Language:
    """What a report says in one language.

    code   as in `--lang`
    tag    of the page, e.g. "zh-CN"
    """

    code: str
    tag: str
    page: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    sentences: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, english: str, **slots: Any) -> str:
        """A text of the report itself, by its English template."""
        return self.page.get(english, english).format(**slots)

    def markup(self, english: str, **slots: Any) -> Markup:
        """As a call; the template may hold elements, what is put in is escaped."""
        return Markup(self.page.get(english, english)).format(**slots)  # our own texts

    def word(self, english: object) -> str:
        """A word such as a status; one that is not known is a name and stays."""
        return self.words.get(str(english), str(english))

    def unit(self, english: object) -> str:
        """A plural as it stands behind a number."""
        return self.units.get(str(english), str(english))

    def name(self, english: str) -> str:
        """A name that may hold a word, such as the measure `column: price`."""
        return self._known(english) or english

    def sentence(self, english: str) -> str:
        """What a layer below said; marked where it stays English."""
        if not self.sentences:
            return english
        found = self.translated(english)
        if found is not None or not re.search("[A-Za-z]", english):
            return english if found is None else found
        return Markup('<span lang="en">{}</span>').format(english)

    def spoken(self, english: str) -> str:
        """As `sentence`, for a place that holds letters alone, such as a terminal."""
        return self.translated(english) or english

    def translated(self, english: str) -> str | None:
        """The sentence in this language, or None where no pattern knows it."""
        return self._translated(english, 0)

    def _translated(self, english: str, depth: int) -> str | None:
        known = self._known(english, depth)
        return known if known is not None else self._several(english, depth)

    def _known(self, english: str, depth: int = 0) -> str | None:
        for pattern in self._patterns if depth < DEEPEST else ():
            held = pattern.match(english)
            said = None if held is None else self._filled(pattern, held, depth + 1)
            if said is not None:
                return said
        return None

    def _filled(self, pattern: Pattern, held: Mapping[str, str], depth: int) -> str | None:
        said: dict[str, str] = {}
        for name, text in held.items():
            here = self._held(pattern.kinds[name], text, depth)
            if here is None:
                return None
            said[name] = here
        return pattern.here.format(**said)

    def _held(self, kind: str, text: str, depth: int) -> str | None:
        if kind in ("w", "u"):
            return (self.words if kind == "w" else self.units).get(text)
        if kind == "k":
            number, _, unit = text.partition(" ")
            return f"{number} {self.units[unit]}"
        if kind == "n":
            return self.words.get(text, text).replace(" %", "%")
        if kind == "l":
            return self._names(text)
        if kind == "m":
            return self._list(text, depth)
        if kind == "o" and not text:
            return ""
        if kind == "c":
            return self._known(text, depth) or text
        if kind in ("s", "o"):
            return self.words.get(text) or self._translated(text, depth)
        return text

    def _several(self, text: str, depth: int) -> str | None:
        """Sentences joined by a sign that may also stand within one; the longest first."""
        at = len(text) if text.count("; ") < MOST else 0
        while (at := text.rfind("; ", 0, at)) > 0:
            first = self._known(text[:at], depth)
            rest = self._translated(text[at + 2 :], depth) if first is not None else None
            if first is not None and rest is not None:
                return f"{first}；{rest}"
        return None

    def _list(self, text: str, depth: int) -> str | None:
        """Words and sentences, each known; a sentence may hold what joins others."""
        if (held := MORE.match(text)) is not None:
            shown = self._list(held["shown"], depth + 1) if depth < DEEPEST else None
            return shown and self("{shown} and {n} more", shown=shown, n=held["n"])
        whole = self.words.get(text) or self._known(text, depth)
        return self._cut(COMMA, text, depth) or whole or self._cut(JOINTS, text, depth)

    def _cut(self, joints: re.Pattern[str], text: str, depth: int) -> str | None:
        """A list of two parts at least, the first as short as it can be."""
        found = [*joints.finditer(text)]
        for joint in found if len(found) < MOST else ():
            first = text[: joint.start()]
            said = self.words.get(first) or self._known(first, depth)
            rest = self._list(text[joint.end() :], depth) if said is not None else None
            if said is not None and rest is not None:
                return f"{said}、{rest}"
        return None

    def _names(self, text: str) -> str:
        if (held := MORE.match(text)) is not None:
            shown = "、".join(JOINTS.split(held["shown"]))
            return self("{shown} and {n} more", shown=shown, n=held["n"])
        return self.words["none"] if text == "none" else "、".join(JOINTS.split(text))

    @cached_property
    def _patterns(self) -> Sequence[Pattern]:
        """Whole sentences first, then those with most fixed letters: they say most."""
        loose = [SLOT.split(english)[0] for english in self.sentences if english[0] in " ;:,"]
        forms = {
            **FORMS,
            "w": f"({_any_of(self.words)})",
            "u": f"({_any_of(self.units)})",
            "k": f"((?:{NUMBER}) (?:{_any_of(self.units)}))",
            "o": f"(|(?:{_any_of(loose)}).*?)",
        }
        made = [Pattern(english, here, forms) for english, here in self.sentences.items()]
        return sorted(
            made,
            key=lambda each: (not each.english.endswith("."), -sum(map(len, each.fixed))),
        )


def _any_of(texts: Iterable[str]) -> str:
    """An expression for one of them, the longest that fits."""
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))


PARTS = ("page", "words", "units", "sentences")
ENGLISH = Language("en", "en")


def known() -> list[str]:
    """What `--lang` takes, English first."""
    there = files("acclimate.reports") / "languages"
    return ["en", *sorted(e.name[:-5] for e in there.iterdir() if e.name.endswith(".toml"))]


@cache
def language(code: str) -> Language:
    """A language by its code.  Raises UsageError for one that is not there."""
    if code == "en":
        return ENGLISH
    if code not in known():
        raise UsageError(
            f"{expected('a language of reports', known(), code)} "
            "Name one of these with --lang, or leave it out for English."
        )
    table = files("acclimate.reports") / "languages" / f"{code}.toml"
    read = tomllib.loads(table.read_text(encoding="utf-8"))
    return Language(code, read["tag"], *(read[part] for part in PARTS))
