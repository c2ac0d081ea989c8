"""Tag from token files to answers: adapt, report, predict, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from acclimate import workflow
from acclimate.cli.predict import predict as command
from acclimate.domains.domain import Domain
from acclimate.domains.split import Cut
from acclimate.errors import DataError
from acclimate.options import Options
from acclimate.reports.report import read_summary
from acclimate.rng import Rng
from acclimate.tasks.tag import Tag
from tests.made_texts import make_texts


def write(folder: Path, market: Domain) -> Path:
    """The market as a token file."""
    parts = []
    for tokens, spans in market.tables["texts"].select("tokens", "spans").rows():
        words, tags = json.loads(tokens), ["O"] * len(json.loads(tokens))
        for start, end, name in json.loads(spans):
            tags[start:end] = [f"B-{name}", *[f"I-{name}"] * (end - start - 1)]
        parts.append("".join(f"{w}\t{t}\n" for w, t in zip(words, tags, strict=True)))
    path = folder / f"{market.name}.conll"
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on made titles, with the simplest ways to transfer alone."""
    folder = tmp_path_factory.mktemp("tag")
    target, source = (make_texts(Rng.of(1).child(n), 50, name=n) for n in ("jp", "us"))
    options = Options(strategies=("pooled",), cut=Cut(labels=16), budget_seconds=120)
    workflow.adapt(
        Tag(),
        [write(folder, source)],
        write(folder, target),
        out=folder / "run",
        options=options,
    )
    return folder / "run"


def test_a_run_judges_sentences_by_span_f1_and_writes_a_report(run: Path) -> None:
    summary = read_summary(run)
    verdict = summary["verdict"]
    assert (summary["task"], verdict["metric"], verdict["unit"]) == (
        "tag", "span-f1", "sentences",
    )  # fmt: skip
    assert {row["status"] for row in summary["leaderboard"]} == {"done"}
    assert [gap["measure"] for gap in summary["gap"]] == ["tokens-overlap"]
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "span-f1" in page and "sentences" in page


def test_texts_are_answered_in_characters_and_lists_in_tokens(run: Path) -> None:
    texts = pl.DataFrame({"text": ["new  brand3x for desk lamp A11 sale", "", None]})
    answer = workflow.predict(run / "artifact", texts)
    assert answer.columns == ["text", "spans", "p", "note"]
    assert json.loads(answer["spans"][0]) == [
        [5, 12, "BRAND"], [17, 26, "PRODUCT"], [27, 30, "MODEL"],
    ]  # fmt: skip
    assert all(0.5 < p <= 1 for p in json.loads(answer["p"][0]))
    assert answer["spans"][1:].to_list() == ["[]", "[]"]
    assert answer["note"].to_list() == ["", "no text", "no text"]
    words = ["new", "brand3x", "for", "desk", "lamp", "A11", "sale"]
    for tokens in ([words], [json.dumps(words)]):
        asked = pl.DataFrame({"tokens": tokens, "spans": ["mine"]})
        found = workflow.predict(run / "artifact", asked)
        assert found.columns == ["tokens", "spans", "spans_", "p", "note"]
        assert json.loads(found["spans_"][0]) == [
            [1, 2, "BRAND"], [3, 5, "PRODUCT"], [5, 6, "MODEL"],
        ]  # fmt: skip


def test_a_table_without_texts_is_refused(run: Path) -> None:
    with pytest.raises(DataError, match="Expected a column of texts or tokens, 'tokens' as in"):
        workflow.predict(run / "artifact", pl.DataFrame({"price": [1.0]}))


def test_predict_writes_spans_beside_the_texts(run: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked.jsonl"
    asked.write_text(json.dumps({"text": "sale brand1x new phone"}) + "\n")
    out = tmp_path / "out.csv"
    command(run / "artifact", asked, out)
    written = pl.read_csv(out)
    assert json.loads(written["spans"][0]) == [[5, 12, "BRAND"], [17, 22, "PRODUCT"]]


def test_the_task_is_guessed_from_a_target_of_texts(run: Path) -> None:
    from acclimate.cli.asked import task_of

    assert task_of(None, str(run.parent / "jp.conll")) == Tag()
