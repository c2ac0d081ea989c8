"""What every test gets: a home of its own, one thread, and tiny made problems."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest

from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events, make_rows
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.task import Posed

# The same examples each time, and as long as a busy machine needs for them.
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("tests")

if find_spec("torch") is not None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """ACCLIMATE_HOME is an empty folder of this test, so that no test sees another's looks."""
    home = tmp_path_factory.mktemp("home")
    # A context of its own: a test that undoes its own `monkeypatch` keeps its home.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCLIMATE_HOME", str(home))
        settings.cache_clear()
        yield home
    settings.cache_clear()


@pytest.fixture
def rng() -> Rng:
    """The root key of seed 0."""
    return Rng.of(0)


@pytest.fixture(scope="session")
def posed_rows() -> Posed:
    """A small market of rows with text, time and missing values, and two sources."""
    key = Rng.of(7)
    target = make_rows(
        key.child("t"), 120, missing=0.05, text=True, time=True, covariate=0.5, name="target"
    )
    sources = [
        make_rows(key.child(name), 200, missing=0.05, text=True, time=True, name=name)
        for name in ("near", "far")
    ]
    cut = Cut(cross_below=20)
    domains = [source.domain for source in sources]
    return Classify("label").pose(target.domain, domains, cut, key.child("pose"))


@pytest.fixture(scope="session")
def posed_events() -> Posed:
    """A small market of events, and two sources that share half and most of its items."""
    key = Rng.of(7)
    target = make_events(key.child("t"), 60, 30, name="target")
    near = make_events(key.child("near"), 120, 30, catalogue=0.2, name="near")
    far = make_events(key.child("far"), 120, 30, catalogue=0.5, taste=0.5, name="far")
    domains = [near.domain, far.domain]
    return Recommend(k=5).pose(target.domain, domains, Cut(), key.child("pose"))
