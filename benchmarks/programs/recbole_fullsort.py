# mypy: disable-error-code="import-not-found"
"""RecBole's full-sort evaluation of BPR after an epoch: everybody's best ten of all items."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from clicks_data import AT_ONCE, BATCH, FACTORS, RATE, made
from recbole_now import put_back
from watch import Watch, tell


def main() -> None:
    """Print seconds of evaluating; reading, preparing and training are not counted."""
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
    # It holds no item that training has not: those are asked for by nobody.
    known = np.isin(wanted, item)
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    home = Path(folder) / "clicks"
    home.mkdir()
    asked = (ask[known], wanted[known])
    for name, (who, what) in {"train": (user, item), "valid": asked, "test": asked}.items():
        pairs = [f"{u}\t{i}" for u, i in zip(who, what, strict=True)]
        text = "\n".join(["user_id:token\titem_id:token", *pairs, ""])
        (home / f"clicks.{name}.inter").write_text(text, "utf-8")
    told: dict[str, Any] = {
        "data_path": folder,
        "epochs": 1,
        "train_batch_size": BATCH,
        "eval_batch_size": AT_ONCE * (int(item.max()) + 2),
        "embedding_size": FACTORS,
        "learning_rate": RATE,
        "use_gpu": False,
        "benchmark_filename": ["train", "valid", "test"],
        "eval_args": {"order": "RO", "mode": "full"},
        "metrics": ["NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "show_progress": False,
        "checkpoint_dir": folder,
        "load_col": {"inter": ["user_id", "item_id"]},
    }
    sys.argv = sys.argv[:1]
    config = Config(model="BPR", dataset="clicks", config_dict=told)
    logging.disable(logging.CRITICAL)
    init_seed(0, True)
    data = create_dataset(config)
    train, _, test = data_preparation(config, data)
    trainer = Trainer(config, BPR(config, train.dataset))
    trainer._train_epoch(train, 0, show_progress=False)
    with Watch() as watch:
        found = trainer.evaluate(test, load_best_model=False, show_progress=False)
    tell(watch, float(found["ndcg@10"]))


main()
