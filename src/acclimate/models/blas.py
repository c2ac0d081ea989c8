"""Products of matrices too small to be shared among threads.

A thread of BLAS that waits for another burns its core: on a busy machine of two cores a
logistic regression of 5,000 rows took ten times as long on two threads as on one.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

SMALL = 2**22  # numbers in a matrix, up to which one thread does


def unshared(numbers: int) -> AbstractContextManager[Any]:
    """One thread of BLAS for work on so many numbers, or all there are where it is large."""
    return _libraries().limit(limits=1, user_api="blas") if numbers <= SMALL else nullcontext()


@cache
def _libraries() -> Any:
    """BLAS as NumPy and SciPy have loaded it: looking for it takes longer than a small fit."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
