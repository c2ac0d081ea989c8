"""Ctrl-C while arms are tried: the first ends the trials, and what was finished is judged.

A handler sets a flag that every tick looks at.  An exception in its place can be lost where a
library calls back into Python, as in a destructor.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from acclimate.errors import AcclimateError
from acclimate.plans.budget import Budget


@contextmanager
def stoppable(budget: Budget, told: Callable[[], None]) -> Iterator[None]:
    """Trials inside of this end at the first Ctrl-C; the second ends the run as ever.

    told  is called within the handler of the signal, and may do little

    Where too little was finished to be judged, KeyboardInterrupt is raised in the end.  Nothing
    is changed outside of the main thread, or where Ctrl-C has a meaning of its own.
    """
    own = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if threading.current_thread() is not threading.main_thread() or not own:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        budget.stop()
        told()

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    except AcclimateError:
        if budget.stopped:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
