# mypy: disable-error-code="import-not-found"
"""skada's DANN on made rows of a source and a target without labels."""

from __future__ import annotations

import sys

import numpy as np
from shift_data import ASKED, BATCH, COLUMNS, EPOCHS, RATE, made, sides
from watch import Watch, tell


def main() -> None:
    """Print seconds of the fit and accuracy on target rows that were not seen."""
    import torch
    from skada.deep import DANN

    scale, threads = float(sys.argv[1]), int(sys.argv[2])
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
    x, y, domain = sides(xs, ys, xt[:-ASKED])
    with Watch() as watch:
        model.fit(x, y, sample_domain=domain)
    asked = xt[-ASKED:]
    answer = model.predict(asked, sample_domain=-np.ones(ASKED, int), allow_source=True)
    tell(watch, float((np.asarray(answer).ravel() == yt[-ASKED:]).mean()))


main()
