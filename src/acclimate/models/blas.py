"""Threads: products too small to be shared among them, and blocks of rows that are.

A thread of BLAS that waits for another burns its core: on a busy machine of two cores a
logistic regression of 5,000 rows took ten times as long on two threads as on one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, TypeVar

from acclimate.settings import settings

T = TypeVar("T")

SMALL = 2**22  # numbers in a matrix, up to which one thread does


def unshared(numbers: int) -> AbstractContextManager[Any]:
    """One thread of BLAS for work on so many numbers, or all there are where it is large."""
    return _libraries().limit(limits=1, user_api="blas") if numbers <= SMALL else nullcontext()


def shared(work: Callable[[int], T], starts: Sequence[int]) -> list[T]:
    """What the work gives at each start, in their order.

    The blocks are shared among the threads that are set, each with one of BLAS, so that a
    block's answer does not hang on how many there are.  Work within such work is done in
    turn.
    """
    threads = min(settings().threads, len(starts))
    if threads < 2 or threading.current_thread() is not threading.main_thread():
        return [work(start) for start in starts]
    with (
        _libraries().limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(threads) as pool,
    ):
        return list(pool.map(work, starts))


@cache
def _libraries() -> Any:
    """BLAS as NumPy and SciPy have loaded it: looking for it takes longer than a small fit."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
