"""What is drawn was never taken, and everything else is drawn alike."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.rng import Rng
from acclimate.settings import settings
from benchmarks.untaken import Untaken

USERS, ITEMS = 30, 20


def pairs(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, items, and the same as a table; user 0 took nothing, user 1 everything."""
    held = np.random.default_rng(seed).random((USERS, ITEMS)) < 0.4
    held[0], held[1] = False, True
    user, item = np.nonzero(held)
    order = np.random.default_rng(1).permutation(len(user))
    return user[order], item[order], held


def test_took_is_what_the_table_says() -> None:
    user, item, held = pairs()
    asked = np.arange(USERS)[:, None]
    said = Untaken(user, item, USERS, ITEMS).took(asked, np.tile(np.arange(ITEMS), (USERS, 1)))
    assert (said == held).all()


def test_items_that_share_a_byte_with_those_taken_are_told_apart() -> None:
    item = np.random.default_rng(0).choice(4000, 50, replace=False)
    untaken = Untaken(np.zeros(50, np.int64), item, 1, 4000)
    every = np.arange(4000)
    said = untaken.took(np.zeros(4000, np.int64), every)
    assert set(every[said]) == set(item)


def test_every_item_a_user_never_took_is_drawn_alike_and_no_other() -> None:
    user, item, held = pairs()
    asked = np.repeat(np.arange(USERS), 500)
    drawn = Untaken(user, item, USERS, ITEMS).drawn(asked, 4, Rng.of(0))
    assert (drawn[asked == 1] == -1).all()
    for one in range(USERS):
        if one == 1:
            continue
        count = np.bincount(drawn[asked == one].ravel(), minlength=ITEMS)
        assert (count[held[one]] == 0).all()
        free = count[~held[one]]
        # χ² of a fair draw: six standard deviations above its mean.
        expected = free.sum() / len(free)
        chi = ((free - expected) ** 2 / expected).sum()
        assert chi < len(free) - 1 + 6 * np.sqrt(2 * (len(free) - 1))


def test_the_draw_does_not_hang_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    user, item, _ = pairs()
    asked, untaken = np.arange(USERS).repeat(9), Untaken(user, item, USERS, ITEMS)
    monkeypatch.setattr("benchmarks.untaken._AT_ONCE", 32)
    one = untaken.drawn(asked, 2, Rng.of(3))
    monkeypatch.setenv("ACCLIMATE_THREADS", "2")
    settings.cache_clear()
    two = untaken.drawn(asked, 2, Rng.of(3))
    settings.cache_clear()
    assert (one == two).all()
    assert not (one == untaken.drawn(asked, 2, Rng.of(4))).all()
