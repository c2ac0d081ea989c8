"""RecBole 1.2 beside libraries of today: what they took away since is put back.

Called before RecBole is imported.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

# Names that NumPy has taken away since.
GONE = {"bool8": np.bool_, "float_": np.float64, "complex_": np.complex128, "unicode_": np.str_}


def put_back() -> None:
    """Names of NumPy and SciPy, modules that only tuning wants, and how files were read."""
    import scipy.sparse as sp
    import torch

    for name, value in GONE.items():
        setattr(np, name, value)
    for name in ("ray", "ray.tune"):
        sys.modules.setdefault(name, ModuleType(name))
    read = torch.load
    torch.load = lambda *words, **more: read(*words, **{**more, "weights_only": False})
    matrix: Any = sp.dok_matrix
    matrix._update = lambda one, pairs: [one.__setitem__(k, v) for k, v in pairs.items()]
