"""Tag: which stretches of a text name what; product words, brands, models in titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints
from acclimate.domains.copies import cleaned
from acclimate.domains.domain import Domain
from acclimate.domains.exam import Case, Exam, Prediction, Spans, Truth
from acclimate.domains.problem import Problem
from acclimate.domains.ragged import joined
from acclimate.domains.sample import Rows, Sample
from acclimate.domains.sentences import Sentences, sentences_of, span_counts
from acclimate.domains.source import Source, shared
from acclimate.domains.split import Cut, cut_rows
from acclimate.domains.tokenview import TokenRecipe
from acclimate.errors import TaskError
from acclimate.plurals import number_of
from acclimate.rng import Rng
from acclimate.tasks import spans as counted
from acclimate.tasks.task import Metric, Posed, left_out

SHOWN = 8


@dataclass(frozen=True)
class Tag:
    """Find labelled spans in token sequences.

    classes  those of the target, in the order of their positions; settled by `pose`.
             A source's spans of other classes are read as outside
    The independent unit is the sentence, or its entity; the primary metric is micro F1.
    """

    classes: tuple[str, ...] = ()

    kind: ClassVar[str] = "tag"
    form: ClassVar[str] = "tokens"

    def __post_init__(self) -> None:
        # From an artifact they come as a list.
        object.__setattr__(self, "classes", tuple(self.classes))

    @property
    def metric(self) -> Metric:
        return Metric("span-f1", higher=True, mean=False, delta=0.01)

    def pose(self, target: Domain, sources: Sequence[Domain], cut: Cut, rng: Rng) -> Posed:
        table = texts_of(target)
        for source in sources:
            _require_texts(source)
        classes = _classes(target.name, table)
        mine, labelled = sentences_of(table, classes)
        parts = cut_rows(_stand_in(mine, labelled), cut, rng.child("cut"))
        held = table[np.concatenate([parts.fit, parts.choose, parts.judge])]
        sources, copies = cleaned(sources, held, "texts")
        known = [source.before(parts.clock) for source in sources]
        end = table["time"].max() if "time" in table.columns else None
        last = [source.before(end if isinstance(end, datetime) else None) for source in sources]
        unlabelled = mine.take(parts.unlabelled).unlabelled() if len(parts.unlabelled) else None
        kept, strangers = _sources(known, classes)
        problem = Problem(
            target=target.name,
            fit=mine.take(parts.fit),
            sources=kept,
            claim=parts.claim,
            recipe=TokenRecipe(),
            unlabelled=unlabelled,
        )
        everything = np.sort(np.concatenate([parts.fit, parts.choose, parts.judge]))
        whole = replace(problem, fit=mine.take(everything), sources=_sources(last, classes)[0])
        exam = Exam(
            (mine.take(parts.choose).case(),) if len(parts.choose) else (),
            (mine.take(parts.judge).case(),),
        )
        notes = [*parts.notes, *copies, *strangers, _said(problem.fit, classes)]
        notes += [
            *_foreign(known, classes),
            f"{number_of(len(parts.judge), 'sentence')} to judge on",
        ]
        if not strangers:
            notes += left_out(sources, problem, "labelled sentences")
        notes += _cuttings(target, sources)
        if parts.clock is not None:
            notes.append(f"nothing after {parts.clock:%Y-%m-%d %H:%M} reaches a fit")
        return Posed(replace(self, classes=classes), problem, exam, whole, tuple(notes))

    def protocol(self, case: Case, taken: Sample, seed: int) -> Case:
        return case

    def score(self, prediction: Prediction, truth: Truth, weight: Array | None = None) -> Array:
        assert isinstance(prediction, Spans) and truth.ragged is not None
        if weight is None:
            weight = np.ones((1, truth.n_units))
        found = counted.by_unit(prediction.ragged, truth.ragged, truth.units, truth.n_units)
        return counted.f1(weight @ found.right, weight @ found.answered, weight @ found.wanted)

    def unit_scores(self, prediction: Prediction, truth: Truth) -> Array:
        raise AssertionError("micro F1 is no mean over units")

    def metrics(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        assert isinstance(prediction, Spans) and truth.ragged is not None
        found = counted.by_class(prediction.ragged, truth.ragged, len(self.classes))
        right, answered, wanted = found.right, found.answered, found.wanted
        every = [np.array([each.sum()]) for each in (right, answered, wanted)]
        named = {
            "span-f1": float(counted.f1(*every)[0]),
            "precision": float(counted.share(every[0], every[1])[0]),
            "recall": float(counted.share(every[0], every[2])[0]),
        }
        each_f1 = counted.f1(right, answered, wanted)
        precision, recall = counted.share(right, answered), counted.share(right, wanted)
        for at in np.flatnonzero(answered + wanted):
            name = self.classes[at]
            named |= {
                f"f1 of {name}": float(each_f1[at]),
                f"precision of {name}": float(precision[at]),
                f"recall of {name}": float(recall[at]),
            }
        return named

    def join(self, answers: Sequence[tuple[Prediction, Truth]]) -> tuple[Prediction, Truth]:
        found = [answer for answer, _ in answers if isinstance(answer, Spans)]
        offsets = np.cumsum([0] + [truth.n_units for _, truth in answers])
        units = [
            truth.units + offset for offset, (_, truth) in zip(offsets, answers, strict=False)
        ]
        wanted = [truth.ragged for _, truth in answers if truth.ragged is not None]
        return (
            Spans(
                joined([each.ragged for each in found]), np.concatenate([e.p for e in found])
            ),
            Truth(units=np.concatenate(units), ragged=joined(wanted)),
        )


def texts_of(domain: Domain) -> pl.DataFrame:
    """The sentences of a market, or a TaskError that says what is missing."""
    table = domain.tables.get("texts")
    if table is None or not table.height:
        raise TaskError(
            f"Expected a table of texts with spans in {domain.name!r} to tag; found "
            f"{', '.join(domain.tables) or 'no tables'}. Add one as texts.conll (a token and "
            "its tag a line) or texts.jsonl (with text and spans)."
        )
    return table


def _require_texts(source: Domain) -> None:
    """Raises TaskError for a source without sentences, an artifact among them."""
    if source.learned is not None:
        raise TaskError(
            f"Expected sources with texts to tag; found {source.name!r}, whose texts nobody "
            "sees. Taggers start from sentences: name their market, or leave it out."
        )
    texts_of(source)


def _classes(target: str, table: pl.DataFrame) -> tuple[str, ...]:
    """The target's own classes, all of them: which there are is no secret."""
    found = span_counts(table)
    if not found:
        raise TaskError(
            f"Expected labelled spans in target {target!r} to judge on; found none in "
            f"{number_of(table.height, 'sentence')}. Label some, as tags or in a column of "
            "spans."
        )
    return tuple(found)


def _stand_in(sentences: Sentences, labelled: Ints) -> Rows:
    """Rows that are cut as the sentences are: by time, by unit, rare classes spread."""
    label = np.full(sentences.n, -1)
    label[labelled] = sentences.strata[labelled]
    return Rows(
        columns=pl.DataFrame({"row": np.arange(sentences.n)}),
        types={},
        classes=("", *sentences.classes),
        label=label,
        entity=sentences.entity,
        time=sentences.time,
    )


def _sources(
    domains: Sequence[Domain], classes: tuple[str, ...]
) -> tuple[tuple[Source, ...], list[str]]:
    """The sources that can teach, and a note for each of the others.

    Where none can, all of them stay: a strategy then says why it refuses them.
    """
    found, silent, notes = [], [], []
    for domain in domains:
        sentences, labelled = sentences_of(domain.tables["texts"], classes)
        if not len(labelled):
            continue
        shares = shared(domain.schema.declared.shares)
        source = Source(domain.name, sentences.take(labelled), shares)
        why = sentences.take(labelled).why_nothing()
        if why is None:
            found.append(source)
            continue
        theirs = ", ".join([*span_counts(domain.tables["texts"])][:SHOWN])
        notes.append(f"{domain.name} {why}; its own are {theirs or 'none'}")
        silent.append(source)
    if found:
        return tuple(found), [f"{note}: left out" for note in notes]
    return tuple(silent), notes


def _foreign(domains: Sequence[Domain], classes: tuple[str, ...]) -> list[str]:
    """A note for each source that has spans of classes the target lacks."""
    notes = []
    for domain in domains:
        theirs = span_counts(domain.tables["texts"])
        strange = [f"{name} {n:,}" for name, n in theirs.items() if name not in classes]
        if strange and len(strange) < len(theirs):
            notes.append(
                f"{domain.name}'s spans of {', '.join(strange[:SHOWN])} are of no class of the "
                "target and are read as outside"
            )
    return notes


def _said(fit: Sample, classes: tuple[str, ...]) -> str:
    assert isinstance(fit, Sentences) and fit.spans is not None
    counts = np.bincount(fit.spans.values[:, 2], minlength=len(classes))
    seen = ", ".join(f"{name} {n:,}" for name, n in zip(classes, counts, strict=True))
    return f"spans in fit: {seen}; scored by micro F1"


def _cuttings(target: Domain, sources: Sequence[Domain]) -> list[str]:
    """A note where markets cut their texts into tokens differently."""
    how = {
        each.name: each.schema.tables["texts"].notations.get("tokens", "")
        for each in (target, *sources)
        if "texts" in each.schema.tables
    }
    if len(set(how.values())) < 2:
        return []
    said = ", ".join(f"{name}: {way or 'unknown'}" for name, way in how.items())
    return [f"texts are cut into tokens differently ({said}); what is learned hardly meets"]
