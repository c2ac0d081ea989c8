"""What the network makes of codes and terms: tables, unseen levels, buckets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.domains.view import RowView
from acclimate.models.columns import commonest_terms
from acclimate.models.mixed import TEXT_BUCKETS, MixedNetwork
from acclimate.rng import Rng
from tests.models.rings import rings

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(7)


def fit(model: MixedNetwork, view: RowView, rng: Rng = RNG, **options: Any) -> MixedNetwork:
    return model.fit(model.prepare(view), rng=rng, **options)


def test_category_codes_of_one_width_share_a_table_and_no_row() -> None:
    view = rings(50, 1)
    prepared = MixedNetwork().prepare(replace(view, levels=(3, 70, 300, 65)))
    assert prepared.shape.tables == {2: (0,), 16: (1, 2, 3)}
    at = prepared.tensors["codes.16"].numpy()
    assert np.array_equal(at, view.codes[:, 1:] + [0, 70, 370])


def test_unseen_levels_are_trained_by_hidden_codes_and_start_at_zero() -> None:
    view = rings(300, 1)
    view = replace(view, codes=np.maximum(view.codes, 1))  # no row shows code 0
    model = MixedNetwork()
    fresh = model.begin(model.prepare(view), None, RNG)["codes.2"][0]
    learned = fit(model, view).parameters()["codes.2"][0]
    unhidden = fit(replace(model, hide=0.0), view).parameters()["codes.2"][0]
    assert torch.equal(fresh, torch.zeros(2))
    assert float(learned.abs().min()) > 0.0
    assert torch.equal(unhidden, torch.zeros(2))


def test_a_row_keeps_its_commonest_terms() -> None:
    import scipy.sparse as sp

    weights = np.random.default_rng(0).permutation(300) + 1.0
    sparse = sp.csr_array((weights, (np.r_[np.zeros(299, int), 2], np.arange(300))), (3, 2**17))
    terms, kept = commonest_terms(sparse, TEXT_BUCKETS)
    lightest = np.sort(weights[:299])[:128]  # under TF-IDF the commonest
    assert terms.shape == kept.shape == (3, 128)
    assert np.array_equal(kept[0], lightest.astype(np.float32))
    assert np.array_equal(weights[terms[0]], lightest)
    assert not kept[1].any() and kept[2, 0] == weights[299] and not kept[2, 1:].any()


def test_terms_are_folded_into_the_buckets() -> None:
    import scipy.sparse as sp

    sparse = sp.csr_array(([1.0], ([0], [TEXT_BUCKETS + 5])), (1, 2**17))
    assert commonest_terms(sparse, TEXT_BUCKETS)[0].tolist() == [[5]]
