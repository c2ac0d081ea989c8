"""Factors from a file, and the k best of some or of all items: what every peer serves."""

from typing import Any

import numpy as np


class Product:
    def __init__(self, path: str) -> None:
        with np.load(path) as held:
            self.items = held["items"]
            self.queries = held["queries"]
            self.names = held["names"].astype(object)
            users = held["users"].tolist()
        self.user = {name: at for at, name in enumerate(users)}
        self.column = {name: at for at, name in enumerate(self.names.tolist())}

    def answer(self, user: str, k: int, among: list[str] | None = None) -> dict[str, Any]:
        query = self.queries[self.user[user]]
        if among is None:
            columns, scores = None, self.items @ query
        else:
            columns = np.array([self.column[item] for item in among])
            scores = self.items[columns] @ query
        if k < len(scores):
            top = np.argpartition(scores, len(scores) - k)[-k:]
            top = top[np.argsort(-scores[top])]
        else:
            top = np.argsort(-scores)
        items = self.names[top if columns is None else columns[top]]
        return {"items": items.tolist(), "scores": scores[top].tolist()}
