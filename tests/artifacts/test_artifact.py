"""What is loaded is what was saved, and loading runs no foreign code."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from acclimate.artifacts import states, store
from acclimate.artifacts.artifact import Contents, load, save
from acclimate.artifacts.predictor import predict
from acclimate.errors import DataError, IntegrityError, UsageError
from acclimate.models.linear import Linear
from acclimate.models.model import State
from acclimate.strategies.catalogue import MODELS
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend
from tests.artifacts import made
from tests.artifacts.conftest import Make

# A transformer needs an encoder; its contract saves and loads one.
KINDS = [model.kind for model in MODELS if model.kind != "transformer"]
_watching = False
_unpickled: list[str] = []


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "pickle.find_class":
        _unpickled.append(str(arguments))


@pytest.fixture
def no_pickle(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every way to unpickle raises; what C code does on its own is listed."""
    global _watching
    if not _unpickled and not getattr(sys, "_acclimate_hook", False):
        sys.addaudithook(_heard)
        sys._acclimate_hook = True  # type: ignore[attr-defined]

    def refuse(*arguments: Any, **named: Any) -> Any:
        raise AssertionError("something was unpickled")

    class Refusing(pickle.Unpickler):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            refuse()

    for name in ("load", "loads"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(pickle, "Unpickler", Refusing)
    monkeypatch.setattr(joblib, "load", refuse)
    monkeypatch.setattr(np, "load", refuse)
    try:
        import torch

        monkeypatch.setattr(torch, "load", refuse)
    except ImportError:
        pass
    _watching = True
    yield _unpickled
    _watching = False
    _unpickled.clear()


def _input(contents: Contents) -> pl.DataFrame:
    if contents.task.form == "tokens":
        return pl.DataFrame({"text": [row["text"] for row in made.texts(3)]})
    if contents.task.form == "items":
        known = made.events(1).select("CustomerID").unique(maintain_order=True)
        return pl.concat([known, pl.DataFrame({"CustomerID": ["nobody", None]})])
    return made.rows(7, 30).with_columns(
        browser=pl.when(pl.arange(30) < 3).then(pl.lit("netscape")).otherwise("browser")
    )


@pytest.mark.parametrize("kind", KINDS)
def test_loaded_answers_equal_those_from_before_the_save(
    contents_of: Make, tmp_path: Path, kind: str
) -> None:
    contents = contents_of(kind)
    save(tmp_path / "a", contents)
    table = _input(contents)
    before = predict(made.in_memory(contents), table, 4)
    after = predict(load(tmp_path / "a"), table, 4)
    assert after.height >= table.height
    assert_frame_equal(after, before, check_exact=True)
    if contents.task.form == "items":
        pairs = made.events(5)
        assert_frame_equal(
            predict(load(tmp_path / "a"), pairs), predict(made.in_memory(contents), pairs)
        )


@pytest.mark.parametrize("kind", KINDS)
def test_loading_and_predicting_never_unpickle(
    contents_of: Make, tmp_path: Path, kind: str, no_pickle: list[str]
) -> None:
    contents = contents_of(kind)
    save(tmp_path / "a", contents)
    assert predict(load(tmp_path / "a"), _input(contents)).height
    assert no_pickle == []


def test_the_watch_for_pickles_sees_one(no_pickle: list[str]) -> None:
    import _pickle

    _pickle.loads(pickle.dumps(Path("x")))
    assert no_pickle


@pytest.mark.parametrize("kind", ["ease", "linear"])
def test_everything_that_was_held_comes_back(
    contents_of: Make, tmp_path: Path, kind: str
) -> None:
    held = contents_of(kind)
    save(tmp_path / "a", held)
    found = load(tmp_path / "a").contents
    for name in ("task", "target", "sources", "arm", "metric", "verdict", "reading", "seed"):
        assert getattr(found, name) == getattr(held, name), name
    assert found.settings == json.loads(json.dumps(held.settings))
    assert list(found.plan) == list(held.plan)
    assert found.fingerprints == held.fingerprints
    assert list(found.reading.types) == list(held.reading.types)
    assert (found.histories is None) == (held.task.form == "rows")
    if held.histories is not None:
        assert found.histories is not None and found.histories.equals(held.histories)


def test_settled_tasks_come_back(ease: Contents, linear: Contents, tmp_path: Path) -> None:
    task = Classify(label="fraud", score_by="pr-auc", positive="yes", positive_at=1)
    save(tmp_path / "c", replace(linear, task=task))
    assert load(tmp_path / "c").contents.task == task
    save(tmp_path / "r", replace(ease, task=Recommend(k=3, at_most=50)))
    assert load(tmp_path / "r").contents.task == Recommend(k=3, at_most=50)


def test_equal_contents_have_equal_digests_and_others_do_not(
    ease: Contents, tmp_path: Path
) -> None:
    for name, contents in (("a", ease), ("b", ease), ("c", replace(ease, seed=1))):
        save(tmp_path / name, contents)
    a, b, c = (load(tmp_path / name).digest for name in "abc")
    assert a == b != c


def test_settings_that_json_lacks_are_written_as_text(ease: Contents, tmp_path: Path) -> None:
    odd = {"strength": float("inf"), "at": Path("x"), "n": np.int64(3), "s": {"b", "a"}}
    save(tmp_path / "a", replace(ease, settings=odd, target="m\udc80rkt"))
    found = load(tmp_path / "a").contents
    assert found.settings == {"strength": "inf", "at": "x", "n": 3, "s": ["a", "b"]}
    assert found.target == "m\udc80rkt"


def test_states_inside_states_keep_their_place_shape_and_order() -> None:
    leaf = State("leaf", {}, {"w": np.asfortranarray(np.arange(6.0).reshape(2, 3))})
    root = State(
        "root",
        {"z": 1, "a": [2]},
        {"bias": np.array(3, np.float32)},
        {"body": leaf, "b2": leaf},
    )
    tensors: dict[str, Any] = {}
    tree = states._node(root, "model", tensors)
    assert set(tensors) == {"model/bias", "model/children/body/w", "model/children/b2/w"}
    back = states._state(json.loads(json.dumps(tree)), "model", tensors)
    assert list(back.meta) == ["z", "a"] and back.tensors["bias"].shape == ()
    assert np.array_equal(back.children["body"].tensors["w"], leaf.tensors["w"])


def test_an_artifact_shows_what_it_is(folder: Path) -> None:
    artifact = load(folder)
    assert str(artifact).startswith(
        "recommend for jp with us: target-only/ease, provisional by"
    )
    page = replace(
        artifact, contents=replace(artifact.contents, target="<script>")
    )._repr_html_()
    assert "&lt;script&gt;" in page and "<script>" not in page and artifact.digest in page


# ── refusals ────────────────────────────────────────────────────────────────


def _rewrite(folder: Path, **changed: Any) -> None:
    """Other keys in the manifest, sealed as if they had been written so."""
    manifest = json.loads((folder / store.MANIFEST).read_bytes()) | changed
    _reseal(folder, store.MANIFEST, json.dumps(manifest).encode())


def _reseal(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    names = [*store.CONTENT, store.HISTORIES]
    files = {name: (folder / name).read_bytes() for name in names}
    for name, data in store.sealed(files).items():
        (folder / name).write_bytes(data)


def test_another_format_is_refused_with_who_wrote_it(folder: Path) -> None:
    _rewrite(folder, format=2, acclimate="9.9")
    with pytest.raises(IntegrityError, match=r"format 1, found 2, written by acclimate 9\.9"):
        load(folder)


@pytest.mark.parametrize("name", [store.MANIFEST, store.STATE])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{not json", "found text that is not"),
        (b"\xff\xfe", "found text that is not"),
        (b"[" * 10**5, "found text that is not"),
        (b"[]", "found list"),
    ],
)
def test_json_that_is_none_is_refused_though_the_digest_fits(
    folder: Path, name: str, text: bytes, said: str
) -> None:
    _reseal(folder, name, text)
    with pytest.raises(IntegrityError, match=said):
        load(folder)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (store.TENSORS, b"\x08\0\0\0\0\0\0\0{}      ", "another form|other ones"),
        (store.TENSORS, b"", "Expected tensors"),
        (store.TENSORS, b"\xff" * 64, "Expected tensors"),
        (store.HISTORIES, b"PAR1", "Expected user and item"),
        (store.STATE, b"{}", "other ones"),
        (store.MANIFEST, b'{"format": 1, "histories": true}', "other ones"),
    ],
)
def test_files_of_another_making_are_refused_though_the_digest_fits(
    folder: Path, name: str, data: bytes, said: str
) -> None:
    _reseal(folder, name, data)
    with pytest.raises(IntegrityError, match=said):
        load(folder)


def test_a_model_nobody_knows_asks_for_its_plug_in(folder: Path) -> None:
    tree = json.loads((folder / store.STATE).read_bytes())
    tree["model"]["kind"] = "mystery"
    _reseal(folder, store.STATE, json.dumps(tree).encode())
    with pytest.raises(UsageError, match=r"found 'mystery'\. Install the plug-in"):
        load(folder)


def test_a_network_without_torch_names_the_extra(
    contents_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "a", contents_of("network"))
    monkeypatch.setattr("acclimate.models.network.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"acclimate\[deep\]"):
        load(tmp_path / "a")


def test_a_place_without_an_artifact_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DataError, match=r"found nothing there\. Check the spelling"):
        load(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="found a file"):
        load(tmp_path / "file")
    with pytest.raises(DataError, match=r"a folder without manifest\.json\. Name '.*artifact'"):
        load(folder.parent)
    with pytest.raises(UsageError, match="Expected the path of a folder"):
        load("a\0b")


def test_a_model_that_was_not_fitted_is_our_own_mistake(
    linear: Contents, tmp_path: Path
) -> None:
    unfitted = replace(linear, fitted=replace(linear.fitted, model=Linear()))
    with pytest.raises(AssertionError, match="fit"):
        save(tmp_path / "a", unfitted)
    assert list(tmp_path.iterdir()) == []
