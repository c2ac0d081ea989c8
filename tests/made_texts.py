"""Made titles with spans: brands, products and model codes among other words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.schema import Schema, TableSchema
from acclimate.rng import Rng

CLASSES = {"BRAND": "BRAND", "MODEL": "MODEL", "PRODUCT": "PRODUCT"}
_PRODUCTS = ("phone", "phone case", "desk lamp", "lamp", "running shoes", "shoes", "kettle")
_FILL = ("new", "for", "with", "free", "shipping", "original", "sale", "and", "black", "the")
_START = datetime(2024, 1, 1)


def make_texts(
    rng: Rng,
    n: int,
    *,
    name: str,
    dialect: float = 0.0,
    classes: Mapping[str, str] = CLASSES,
    silent: float = 0.1,
) -> Domain:
    """A market of n titles, one an hour.

    dialect  0 … 1, share of brands that the market has for itself
    classes  what it calls brands, models and products; a class that is left out is not
             labelled
    silent   0 … 1, share of titles without any span
    """
    draw = rng.generator()
    own = [f"{name}brand{number}" for number in range(8)]
    common = [f"brand{number}x" for number in range(8)]
    tokens, spans = [], []
    for _ in range(n):
        words: list[str] = []
        found: list[tuple[int, int, str]] = []
        for kind in () if draw.random() < silent else ("BRAND", "PRODUCT", "MODEL"):
            words += [str(draw.choice(_FILL)) for _ in range(draw.integers(0, 3))]
            if kind == "MODEL" and draw.random() < 0.5:
                continue
            if kind == "BRAND":
                said = str(draw.choice(own if draw.random() < dialect else common))
            elif kind == "PRODUCT":
                said = str(draw.choice(_PRODUCTS))
            else:
                said = f"{draw.choice(list('ABC'))}{draw.integers(10, 99)}"
            if kind in classes:
                found.append((len(words), len(words) + len(said.split()), classes[kind]))
            words += said.split()
        words += [str(draw.choice(_FILL))]
        tokens.append(json.dumps(words))
        spans.append(json.dumps(found))
    hours = [_START + timedelta(hours=hour) for hour in range(n)]
    table = pl.DataFrame({"tokens": tokens, "spans": spans, "time": hours})
    roles = {"tokens": "tokens", "spans": "spans", "time": "time"}
    schema = TableSchema(roles, {}, "made", {"tokens": "words"})
    return Domain(name, {"texts": table}, Schema({"texts": schema}))
