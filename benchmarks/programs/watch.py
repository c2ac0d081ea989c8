"""A stop watch, and the one line that a peer's program prints: for ours and theirs alike."""

from __future__ import annotations

import json
import resource
import sys
import time


class Watch:
    """What passed between `with` and its end, by the clock and by the processor."""

    seconds = 0.0
    processor = 0.0

    def __enter__(self) -> Watch:
        self._begun = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *raised: object) -> None:
        self.seconds = time.perf_counter() - self._begun[0]
        self.processor = time.process_time() - self._begun[1]


def tell(watch: Watch, quality: float, times: float = 1.0) -> None:
    """Print what a lap took, divided by the times the work was done, and how good it is."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {
        "seconds": watch.seconds / times,
        "processor": watch.processor / times,
        "quality": quality,
        "peak_mb": used / 1e6 if sys.platform == "darwin" else used * 1024 / 1e6,
    }
    print(json.dumps(found))
