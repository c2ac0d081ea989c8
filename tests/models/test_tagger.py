"""The chain against every sequence there is, its gradient, its parity, its prior."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.bio import allowed, spans_of
from acclimate.domains.problem import Statistics
from acclimate.domains.ragged import Ragged
from acclimate.domains.sentences import Sentences, sentences_of
from acclimate.domains.tokenview import TokenRecipe, TokenView, shape_of, stack_tokens
from acclimate.errors import StrategyError
from acclimate.models.crf import Order, best_path, span_chances, sums
from acclimate.models.tagger import Objective, Tagger
from acclimate.rng import Rng
from tests.made_texts import CLASSES, make_texts

LENGTHS = np.array([3, 1, 4, 2])
K = 5  # O and two classes
EXACT = Tagger(0.5, accuracy=1e-12)


def made(n: int = 40, name: str = "m", **settings: float) -> TokenView:
    domain = make_texts(Rng.of(3).child(name), n, name=name, **settings)  # type: ignore[arg-type]
    sample, labelled = sentences_of(domain.tables["texts"], tuple(CLASSES))
    return TokenRecipe(8).fit([sample], []).encode(sample.take(labelled))


def chain(seed: int = 0) -> tuple[Array, Array]:
    draw = np.random.default_rng(seed)
    return 2 * draw.normal(size=(int(LENGTHS.sum()), K)), draw.normal(size=(K, K))


def every_sequence(length: int) -> list[tuple[int, ...]]:
    """All that BIO allows."""
    may = allowed(2)
    return [
        tags
        for tags in product(range(K), repeat=length)
        if may[-1, tags[0]] and all(may[a, b] for a, b in pairwise(tags))
    ]


def total(scores: Array, move: Array, tags: tuple[int, ...]) -> float:
    inside = sum(scores[t, tag] for t, tag in enumerate(tags))
    return float(inside + sum(move[a, b] for a, b in pairwise(tags)))


def test_sums_and_best_path_are_those_over_every_allowed_sequence() -> None:
    scores, move = chain()
    found = sums(scores, move, Order(LENGTHS), np.array([1.0, 2.0, 0.5, 3.0]))
    path = best_path(scores, move, Order(LENGTHS))
    moves = np.zeros((K, K))
    starts = np.cumsum(LENGTHS) - LENGTHS
    for number, (start, length) in enumerate(zip(starts, LENGTHS, strict=True)):
        part = scores[start : start + length]
        ways = every_sequence(length)
        value = np.array([total(part, move, tags) for tags in ways])
        assert found.log_z[number] == pytest.approx(np.log(np.exp(value).sum()), abs=1e-10)
        chance = np.exp(value - found.log_z[number])
        marginal = np.zeros((length, K))
        for p, tags in zip(chance, ways, strict=True):
            marginal[np.arange(length), tags] += p
            for a, b in pairwise(tags):
                moves[a, b] += p * (1.0, 2.0, 0.5, 3.0)[number]
        np.testing.assert_allclose(found.marginal[start : start + length], marginal, atol=1e-10)
        assert tuple(path[start : start + length]) == ways[int(value.argmax())]
    np.testing.assert_allclose(found.moves, moves, atol=1e-10)


def test_the_chance_of_a_span_is_that_of_every_sequence_that_has_exactly_it() -> None:
    scores, move = chain(4)
    order = Order(LENGTHS)
    tags = best_path(scores, move, order)
    spans = spans_of(tags, LENGTHS)
    assert len(spans.values) > 3
    before = (np.cumsum(LENGTHS) - LENGTHS)[spans.row]
    begins = np.zeros(len(tags), bool)
    begins[before + spans.values[:, 0]] = True
    found = sums(scores, move, order, conditional=True)
    p = span_chances(found, tags, begins, before + spans.values[:, 1], LENGTHS)
    for chance, row, span in zip(p, spans.row, spans.values.tolist(), strict=True):
        start, length = int((np.cumsum(LENGTHS) - LENGTHS)[row]), int(LENGTHS[row])
        part = scores[start : start + length]
        ways = every_sequence(length)
        value = np.exp([total(part, move, each) for each in ways])
        has = [span in spans_of(np.array(w), np.array([length])).values.tolist() for w in ways]
        assert chance == pytest.approx(value[has].sum() / value.sum(), abs=1e-10)


def test_large_scores_neither_overflow_nor_vanish() -> None:
    scores, move = chain()
    found = sums(400 * scores, move, Order(LENGTHS))
    assert np.isfinite(found.log_z).all() and np.isfinite(found.marginal).all()
    np.testing.assert_allclose(found.marginal.sum(axis=1), 1)


def test_the_gradient_is_that_of_finite_differences() -> None:
    view = made(6)
    prepared = Tagger().prepare(view)
    draw = np.random.default_rng(0)
    a, k = len(prepared.columns), 7
    centre, move = draw.normal(size=(a, k)) / 3, draw.normal(size=(k, k)) / 3
    weight = draw.random(prepared.n) + 0.5
    objective = Objective(prepared, weight, centre, move, np.linspace(0.3, 2.0, k))
    theta = draw.normal(size=objective.size) / 2
    _, gradient = objective.value(theta)
    for at in [*draw.integers(0, a * k, 25), *range(a * k, objective.size)]:
        step = np.zeros(objective.size)
        step[at] = 1e-5
        rise = objective.value(theta + step)[0] - objective.value(theta - step)[0]
        assert gradient[at] == pytest.approx(rise / 2e-5, abs=1e-5)


def test_sentences_of_one_token_are_multinomial_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    view = made(10)
    tags = Tagger().prepare(view).tags
    assert tags is not None
    begins = np.flatnonzero(tags % 2 == 1)
    tokens = np.sort(np.r_[begins, np.flatnonzero(tags == 0)[: len(begins)]])
    label = tags[tokens]
    rows = [[] if tag == 0 else [(0, 1, (tag - 1) // 2)] for tag in label]
    single = TokenView(view.matrix[tokens], np.ones(len(tokens), int), Ragged.of(rows, 3), 3)
    weight = np.random.default_rng(1).random(len(tokens)) + 0.5
    ours = EXACT.fit(EXACT.prepare(single), weight=weight, rng=Rng.of(0))
    theirs = LogisticRegression(C=1 / 0.5, fit_intercept=False, tol=1e-8, solver="newton-cg")
    theirs.fit(single.matrix, label, sample_weight=weight)
    assert ours.fitted is not None
    scores = view.matrix[tokens] @ ours.fitted.coefficients[:, [0, 1, 3, 5]]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, theirs.predict_proba(single.matrix), atol=2e-5)


def test_a_weight_of_two_is_the_sentence_twice() -> None:
    view = made(12)
    twice = stack_tokens([view, view])
    weighed = EXACT.fit(EXACT.prepare(view), weight=np.full(12, 2.0), rng=Rng.of(0))
    repeated = EXACT.fit(EXACT.prepare(twice), rng=Rng.of(0))
    assert weighed.fitted is not None and repeated.fitted is not None
    np.testing.assert_allclose(
        weighed.fitted.coefficients, repeated.fitted.coefficients, atol=1e-4
    )


def test_made_titles_are_learned() -> None:
    view = made(80)
    learned = Tagger().fit(Tagger().prepare(view), rng=Rng.of(0))
    asked = made(40, "other")
    found, wanted = learned.predict(asked).ragged, asked.spans
    assert wanted is not None
    pairs = zip(found.lists(), wanted.lists(), strict=True)
    right = sum(each in theirs for ours, theirs in pairs for each in ours)
    assert 2 * right / (len(found.values) + len(wanted.values)) > 0.9


def test_a_prior_of_no_strength_is_no_prior_and_a_strong_one_is_the_source() -> None:
    mine, theirs = made(10, dialect=1.0), made(40, "s")
    source = EXACT.fit(EXACT.prepare(theirs), rng=Rng.of(0))
    alone = EXACT.fit(EXACT.prepare(mine), rng=Rng.of(0))

    def around(strength: float) -> Tagger:
        prior = source.as_prior().times(strength)
        return EXACT.fit(EXACT.prepare(mine), prior=prior, rng=Rng.of(0))

    assert source.fitted is not None and alone.fitted is not None
    weak, strong = around(1e-9).fitted, around(1e9).fitted
    assert weak is not None and strong is not None
    np.testing.assert_allclose(weak.coefficients, alone.fitted.coefficients, atol=1e-3)
    np.testing.assert_allclose(strong.coefficients, source.fitted.coefficients, atol=1e-6)
    np.testing.assert_allclose(strong.move, source.fitted.move, atol=1e-6)


def test_the_fit_around_a_prior_is_the_minimum_of_both_penalties() -> None:
    mine, theirs = made(10, dialect=1.0), made(40, "s")
    source = EXACT.fit(EXACT.prepare(theirs), rng=Rng.of(0))
    prepared = EXACT.prepare(mine)
    fitted = EXACT.fit(prepared, prior=source.as_prior().times(3.0), rng=Rng.of(0)).fitted
    assert fitted is not None and source.fitted is not None
    sure, columns = source.as_prior().times(3.0).precision, prepared.columns
    learned, around = (
        np.concatenate([each.coefficients[columns].ravel(), each.move.ravel()])
        for each in (fitted, source.fitted)
    )
    a, k = len(columns), 7
    alone = Objective(
        prepared, np.ones(10), np.zeros((a, k)), np.zeros((k, k)), np.full(k, EXACT.penalty)
    )
    pulled = sure * (learned - around)
    np.testing.assert_allclose(alone.value(learned)[1], -pulled, atol=1e-3)
    assert np.abs(pulled).max() > 0.1


def test_a_restored_tagger_answers_alike() -> None:
    view = made(20)
    learned = Tagger().fit(Tagger().prepare(view), rng=Rng.of(0))
    ours, theirs = learned.predict(view), Tagger.restore(learned.state()).predict(view)
    assert ours.ragged.lists() == theirs.ragged.lists()
    np.testing.assert_array_equal(ours.p, theirs.p)
    assert Tagger.restore(learned.state()).penalty == learned.penalty


def test_a_penalty_of_nothing_is_refused() -> None:
    with pytest.raises(StrategyError, match=r"Expected a finite penalty above 0, found 0\.0"):
        Tagger(0.0)


def test_sentences_without_spans_are_refused() -> None:
    view = made(3)
    blind = TokenView(view.matrix, view.lengths, None, 3)
    with pytest.raises(StrategyError, match="Expected sentences with known spans to fit on"):
        Tagger().fit(Tagger().prepare(blind), rng=Rng.of(0))


def test_a_prior_over_other_features_or_of_no_sense_is_refused() -> None:
    view = made(5)
    source = Tagger().fit(Tagger().prepare(view), rng=Rng.of(0))
    narrow = TokenView(view.matrix[:, :16], view.lengths, view.spans, 3)
    with pytest.raises(StrategyError, match="Expected a prior over 16 features × 7 tags"):
        Tagger().fit(Tagger().prepare(narrow), prior=source.as_prior(), rng=Rng.of(0))
    prior = source.as_prior().times(-1.0)
    with pytest.raises(StrategyError, match="Expected a finite precision of at least 0"):
        Tagger().fit(Tagger().prepare(view), prior=prior, rng=Rng.of(0))


def test_a_token_is_encoded_by_its_own_sentence_alone() -> None:
    domain = make_texts(Rng.of(5), 12, name="m")
    sample, _ = sentences_of(domain.tables["texts"], tuple(CLASSES))
    encoder = TokenRecipe(10).fit([sample], [])
    whole, lengths = encoder.encode(sample).matrix, sample.lengths
    for row, start in enumerate(np.cumsum(lengths) - lengths):
        alone = encoder.encode(sample.take(np.array([row]))).matrix
        part = whole[start : start + lengths[row]]
        assert (alone.toarray() == part.toarray()).all()


def test_features_are_the_same_on_every_machine() -> None:
    import polars as pl

    tokens = pl.Series("tokens", [["iPhone", "12", "红"]])
    found = TokenRecipe(18).fit([Sentences(tokens, ())], []).encode(Sentences(tokens, ()))
    assert found.matrix.shape == (3, 2**18)
    assert np.diff(found.matrix.indptr).tolist() == [22, 18, 16]
    assert int(found.matrix.indices.sum()) == 7_485_987  # what this code gave when written


def test_a_shape_keeps_what_a_token_looks_like() -> None:
    shapes = [shape_of(each) for each in ("iPhone12", "KG", "3.5", "红米", "…")]
    assert shapes == ["xXx9", "X", "9.9", "c", "…"]


def test_statistics_of_every_arm_are_the_same_encoder() -> None:
    from tests.contract.cases import posed

    problem = posed("tokens").problem
    prints = {
        problem.encoded(on).encoder.fingerprint  # type: ignore[union-attr]
        for on in (Statistics.TARGET, Statistics.SOURCES, Statistics.BOTH)
    }
    assert len(prints) == 1
