"""Origins lie where an exam by the clock would put them, further and further back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from acclimate.domains.origins import origins

TIMES = st.lists(st.integers(0, 30).map(float) | st.just(-np.inf), min_size=1, max_size=40)


def test_each_origin_leaves_a_quarter_of_what_lies_before_the_last_one() -> None:
    # 16 days: the last 4 of 16, then the last 3 of 12, then the last of 9 from int(9 × ¾) on.
    found = origins(np.arange(16.0), 3)
    assert found == [(12.0, np.inf), (9.0, 12.0), (6.0, 9.0)]


def test_events_without_a_time_move_no_origin() -> None:
    timed = np.arange(16.0)
    assert origins(np.r_[np.full(50, -np.inf), timed], 2) == origins(timed, 2)


def test_one_moment_has_no_origin() -> None:
    assert origins(np.full(9, 5.0), 3) == []
    assert origins(np.empty(0), 3) == []


@given(TIMES, st.integers(1, 5))
def test_stretches_are_apart_and_something_is_known_before_each(
    times: list[float], k: int
) -> None:
    time, end = np.array(times), np.inf
    found = origins(time, k)
    assert len(found) <= k
    for origin, until in found:
        assert until == end and origin < until
        assert (np.isfinite(time) & (time < origin)).any()
        assert ((time >= origin) & (time < until)).any()
        end = origin
