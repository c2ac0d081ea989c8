# mypy: disable-error-code="import-not-found,no-untyped-call"
"""Second-order MAML by learn2learn, as its own examples use it.  No word of ours is imported.

    python maml_learn2learn.py SCALE THREADS FOLDER INNER

FOLDER holds the unpacked source release.  Only the algorithm is imported, for the package
as a whole wants gym, torchvision and extensions that do not build on current Pythons.
"""

import math
import sys
import types

import torch
import torch.nn.functional as F
from watch import Watch, tell

SCALE, THREADS, FOLDER, INNER = (
    int(float(sys.argv[1])),
    int(sys.argv[2]),
    sys.argv[3],
    int(sys.argv[4]),
)
for name in ("learn2learn", "learn2learn.algorithms"):
    package = types.ModuleType(name)
    package.__path__ = [f"{FOLDER}/{name.replace('.', '/')}"]
    sys.modules[name] = package

from learn2learn.algorithms.maml import MAML  # noqa: E402

TASKS, QUERIES, STEPS = 32 * SCALE, 10, 20
SHOTS = 5 if INNER == 1 else 10


def tasks(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    amplitude = torch.rand(TASKS, 1, 1, generator=g) * 4.9 + 0.1
    phase = torch.rand(TASKS, 1, 1, generator=g) * math.pi
    x = torch.rand(TASKS, SHOTS + QUERIES, 1, generator=g) * 10 - 5
    return x, amplitude * torch.sin(x - phase)


torch.set_num_threads(THREADS)
torch.manual_seed(0)
net = torch.nn.Sequential(
    torch.nn.Linear(1, 40),
    torch.nn.ReLU(),
    torch.nn.Linear(40, 40),
    torch.nn.ReLU(),
    torch.nn.Linear(40, 1),
)
maml = MAML(net, lr=0.01, first_order=False)
adam = torch.optim.Adam(maml.parameters(), lr=1e-3)


def step(seed: int) -> float:
    x, y = tasks(seed)
    adam.zero_grad()
    total = 0.0
    for task in range(TASKS):
        learner = maml.clone()
        for _ in range(INNER):
            learner.adapt(F.mse_loss(learner(x[task, :SHOTS]), y[task, :SHOTS]))
        loss = F.mse_loss(learner(x[task, SHOTS:]), y[task, SHOTS:]) / TASKS
        loss.backward()
        total += float(loss.detach())
    adam.step()
    return total


losses = [step(seed) for seed in range(2)]
with Watch() as watch:
    losses += [step(seed) for seed in range(2, STEPS)]
tell(watch, sum(losses) / STEPS, (STEPS - 2) / 100)
