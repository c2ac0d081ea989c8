# mypy: disable-error-code="import-not-found"
"""An epoch of torch-rechub's MMoE or PLE on made rows of two tasks."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile

import numpy as np
from tasks_data import (
    ASKED,
    BATCH,
    COLUMNS,
    EPOCHS,
    EXPERTS,
    LAYERS,
    LEVELS,
    NUMBERS,
    TOWER,
    WIDTH,
    auc,
    made,
)
from watch import Watch, tell


def main(kind: str) -> None:
    """Print seconds an epoch and the mean AUC of both tasks."""
    import torch
    from torch_rechub.basic.features import DenseFeature, SparseFeature
    from torch_rechub.models.multi_task import MMOE, PLE
    from torch_rechub.trainers import MTLTrainer
    from torch_rechub.utils.data import TorchDataset

    scale, threads = float(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    codes, numbers, labels = made(scale)
    features = [SparseFeature(f"c{k}", LEVELS, embed_dim=WIDTH) for k in range(COLUMNS)]
    features += [DenseFeature(f"d{k}") for k in range(NUMBERS)]
    tasks, towers = ["classification"] * 2, [{"dims": [TOWER]}] * 2
    expert = {"dims": [*LAYERS], "dropout": 0.0}
    if kind == "mmoe":
        model = MMOE(features, tasks, EXPERTS, expert, towers)
    else:
        model = PLE(features, tasks, 1, 1, 2, expert, towers)

    def columns(rows: slice) -> dict[str, object]:
        found = {f"c{k}": codes[rows, k] for k in range(COLUMNS)}
        return found | {f"d{k}": numbers[rows, k] for k in range(NUMBERS)}

    data = TorchDataset(columns(slice(None, -ASKED)), labels[:-ASKED].astype(np.float32))
    batches = torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        trainer = MTLTrainer(
            model,
            tasks,
            optimizer_params={"lr": 1e-3},
            n_epoch=EPOCHS,
            device="cpu",
            model_path=folder,
        )
        with Watch() as watch:
            for _ in range(EPOCHS):
                trainer.train_one_epoch(batches)
    model.eval()
    with torch.no_grad():
        asked = {k: torch.as_tensor(v) for k, v in columns(slice(-ASKED, None)).items()}
        scores = model(asked).numpy()
    found = [auc(labels[-ASKED:, task], scores[:, task]) for task in range(2)]
    tell(watch, float(np.mean(found)), EPOCHS)
