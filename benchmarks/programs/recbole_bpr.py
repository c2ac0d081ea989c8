# mypy: disable-error-code="import-not-found"
"""RecBole's BPR on made interactions: one epoch, and how well it finds what came last."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from clicks_data import BATCH, FACTORS, RATE, made, ndcg
from recbole_now import put_back
from watch import Watch, tell


def main() -> None:
    """Print seconds of an epoch; reading and preparing the data is not counted."""
    import torch

    put_back()
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.general_recommender import BPR
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    scale, threads = float(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    user, item, ask, wanted = made(scale)
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    path = Path(folder) / "clicks" / "clicks.inter"
    path.parent.mkdir()
    pairs = [f"{u}\t{i}" for u, i in zip(user, item, strict=True)]
    path.write_text("\n".join(["user_id:token\titem_id:token", *pairs, ""]), "utf-8")
    told: dict[str, Any] = {
        "data_path": folder,
        "epochs": 1,
        "train_batch_size": BATCH,
        "embedding_size": FACTORS,
        "learning_rate": RATE,
        "use_gpu": False,
        "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}, "order": "RO", "mode": "full"},
        "show_progress": False,
        "checkpoint_dir": folder,
        "load_col": {"inter": ["user_id", "item_id"]},
    }
    sys.argv = sys.argv[:1]
    config = Config(model="BPR", dataset="clicks", config_dict=told)
    logging.disable(logging.CRITICAL)
    init_seed(0, True)
    data = create_dataset(config)
    train, _, _ = data_preparation(config, data)
    model = BPR(config, train.dataset)
    trainer = Trainer(config, model)
    with Watch() as watch:
        trainer._train_epoch(train, 0, show_progress=False)
    users = _table(model.user_embedding, data.field2token_id["user_id"], user.max() + 1)
    items = _table(model.item_embedding, data.field2token_id["item_id"], item.max() + 1)
    tell(watch, ndcg(lambda rows: users[rows] @ items.T, user, item, ask, wanted))


def _table(embedding: Any, place: dict[str, int], size: int) -> Any:
    """(size, FACTORS) its factors in our order; of what it never saw, zeros."""
    found = np.zeros((size, FACTORS), np.float32)
    weights = embedding.weight.detach().numpy()
    for token, row in place.items():
        if token != "[PAD]":
            found[int(token)] = weights[row]
    return found


main()
