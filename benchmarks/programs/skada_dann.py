# mypy: disable-error-code="import-not-found"
"""skada's DANN on made rows of a source and a target without labels."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from shift_data import ASKED, BATCH, COLUMNS, EPOCHS, RATE, made


def main() -> None:
    """Print seconds of the fit and accuracy on target rows that were not seen."""
    import torch
    from skada.deep import DANN

    scale, threads = int(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    xs, ys, xt, yt = made(scale)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers = [torch.nn.Linear(COLUMNS, 64), torch.nn.ReLU()]
            layers += [torch.nn.Linear(64, 32), torch.nn.ReLU()]
            self.features = torch.nn.Sequential(*layers)
            self.head = torch.nn.Linear(32, 2)

        # The library hands every module this keyword.
        def forward(self, x: torch.Tensor, sample_weight: object = None) -> torch.Tensor:
            found: torch.Tensor = self.head(self.features(x))
            return found

    model = DANN(
        Net(),
        reg=0.1,
        num_features=32,
        layer_name="features",
        batch_size=BATCH,
        max_epochs=EPOCHS,
        train_split=None,
        lr=RATE,
        verbose=0,
        optimizer=torch.optim.Adam,
    )
    seen = xt[:-ASKED]
    x = np.vstack([xs, seen])
    y = np.r_[ys, np.full(len(seen), -1)]
    domain = np.r_[np.ones(len(xs), int), -np.ones(len(seen), int)]
    start = time.perf_counter()
    model.fit(x, y, sample_domain=domain)
    seconds = time.perf_counter() - start
    asked = xt[-ASKED:]
    answer = model.predict(asked, sample_domain=-np.ones(ASKED, int), allow_source=True)
    quality = float((np.asarray(answer).ravel() == yt[-ASKED:]).mean())
    print(json.dumps({"seconds": seconds, "quality": quality}))


main()
