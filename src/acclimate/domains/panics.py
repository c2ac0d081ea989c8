"""Keep to ourselves what Polars prints when it panics: the error says it better.

A panic is raised as an exception, but its story is written to the file descriptor of
stderr besides, beyond the reach of `sys.stderr`.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_PANIC = re.compile(
    rb"\n?thread '[^\n]*panicked at .*?(?:\nnote: [^\n]*RUST_BACKTRACE[^\n]*\n?|\Z)", re.DOTALL
)


@contextmanager
def unheard() -> Iterator[None]:
    """Drop stories of panics; whatever else is written meanwhile appears afterwards."""
    try:
        kept = os.dup(2)
    except OSError:  # a service without stderr
        yield
        return
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            sink.seek(0)
            if written := _PANIC.sub(b"", sink.read()):
                os.write(2, written)
