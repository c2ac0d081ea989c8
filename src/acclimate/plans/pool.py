"""Trials at once on the cores of a machine: in threads, as what takes long frees them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from threadpoolctl import threadpool_limits

Given = TypeVar("Given")
Found = TypeVar("Found")


class EachOf(Protocol):
    """Does something with each of these, and answers in their order."""

    def __call__(self, do: Callable[[Given], Found], these: Sequence[Given]) -> list[Found]: ...


def in_turn(do: Callable[[Given], Found], these: Sequence[Given]) -> list[Found]:
    """One after the other."""
    return [do(each) for each in these]


def at_once(workers: int, threads: int) -> EachOf:
    """Several at once, begun in order; never more than cores bear.

    workers  ≥ 1, wanted
    threads  ≥ 1, of linear algebra in each
    """
    number = min(workers, cores() // threads)
    if number < 2:
        return in_turn

    def limited() -> None:
        # OpenMP keeps the number of threads for each thread that asks.
        threadpool_limits(threads)

    def each_of(do: Callable[[Any], Any], these: Sequence[Any]) -> list[Any]:
        with ThreadPoolExecutor(number, initializer=limited) as pool:
            return [*pool.map(do, these)]

    return each_of


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
