"""Finished trials on disk, so that a run that was killed goes on where it was.

Before: a run has posed its problem and knows what identifies it.  After: the runner asks
here before it tries an arm, and puts here what it finished.

A trial is one row, written in one transaction: JSON, and beside it what the arm answered as
tensors.  A kill at any instant leaves the row or nothing; a trial that runs leaves no mark, so
that there is none to clean up.  Rows go when their run has written its artifact.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.domains.problem import Problem
from acclimate.errors import UsageError, without_password
from acclimate.plans.answers import packed, unpacked
from acclimate.plans.trial import Trial
from acclimate.plurals import number_of
from acclimate.strategies.arm import Arm

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

FILE = "trials.sqlite"
_TABLE = """CREATE TABLE IF NOT EXISTS acclimate_trials (
    run VARCHAR(64) NOT NULL,
    name VARCHAR(64) NOT NULL,
    trial TEXT NOT NULL,
    answer {blob},
    PRIMARY KEY (run, name)
)"""
_NUMBERS = ("value", "low", "high")


@dataclass
class Store:
    """The finished trials of one run.

    url    where they are kept: SQLite in the run's folder, or PostgreSQL
    run    SHA-256 of what decides a trial's outcome besides its arm: data, task, cut, seed
    path   the SQLite file, or None
    taken  whether finished trials are taken up; without, they are tried and kept again
    """

    url: str
    run: str
    path: Path | None = None
    taken: bool = False
    _begun: bool = field(init=False, default=False)

    @classmethod
    def at(cls, out: Path, url: str | None, identity: Sequence[object], taken: bool) -> Store:
        """The store of a run in a folder, or at a URL where one is set.

        identity  everything that decides a trial's outcome besides its arm
        """
        run = hashlib.sha256(repr(tuple(identity)).encode()).hexdigest()
        if url is not None:
            return cls(url, run, None, taken)
        return cls(f"sqlite:///{(out / FILE).absolute()}", run, out / FILE, taken)

    def found(self, arm: Arm, problem: Problem, how: str = "tuned") -> Trial | None:
        """The finished trial of an arm, as it ended; None where there is none.

        arm  as the plan names it, before it is tuned
        how  it is tried: "tuned", at settled settings, or on folds alone
        """
        if not self.taken or not self._there:
            return None
        with self._connected() as connection:
            row = connection.exec_driver_sql(
                self._sql("SELECT trial, answer FROM acclimate_trials WHERE run=? AND name=?"),
                (self.run, self.name_of(arm, how)),
            ).one_or_none()
        if row is None:
            return None
        said = json.loads(row[0])
        tuned = _as_tuned(arm, said["settings"], problem)
        if tuned is None:
            return None
        numbers = {
            key: float("nan") if said[key] is None else float(said[key]) for key in _NUMBERS
        }
        return Trial(
            tuned,
            said["status"],
            said["reason"],
            said["metric"],
            **numbers,
            n=said["n"],
            seconds=said["seconds"],
            why=said["why"],
            facts=tuple(said["facts"]),
            answer=unpacked(said["answer"], bytes(row[1])) if row[1] is not None else None,
            fit_seconds=said["fit_seconds"],
        )

    def keep(self, arm: Arm, trial: Trial, how: str = "tuned") -> None:
        """Keep what came of an arm; on disk when the call returns."""
        text, data = packed(*trial.answer) if trial.answer is not None else (None, None)
        said: dict[str, Any] = {
            "arm": trial.arm.name,
            "settings": trial.arm.settings,
            **{
                key: getattr(trial, key)
                for key in ("status", "reason", "metric", "n", "seconds", "fit_seconds", "why")
            },
            **{key: _known(getattr(trial, key)) for key in _NUMBERS},
            "facts": list(trial.facts),
            "answer": text,
        }
        row = (self.run, self.name_of(arm, how), json.dumps(said, ensure_ascii=False), data)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._connected() as connection:
            if not self._begun:
                blob = "BYTEA" if self._postgres else "BLOB"
                connection.exec_driver_sql(_TABLE.format(blob=blob))
            connection.exec_driver_sql(
                self._sql("DELETE FROM acclimate_trials WHERE run=? AND name=?"), row[:2]
            )
            connection.exec_driver_sql(
                self._sql("INSERT INTO acclimate_trials VALUES (?, ?, ?, ?)"), row
            )
        self._begun = True

    def count(self) -> int:
        """How many finished trials of this run there are."""
        if not self._there:
            return 0
        with self._connected() as connection:
            asked = self._sql("SELECT COUNT(*) FROM acclimate_trials WHERE run=?")
            return int(connection.exec_driver_sql(asked, (self.run,)).scalar_one())

    def finish(self) -> None:
        """The run has written what came of it: nothing is left to take up."""
        if self.path is None and self._there:
            with self._connected() as connection:
                asked = self._sql("DELETE FROM acclimate_trials WHERE run=?")
                connection.exec_driver_sql(asked, (self.run,))
        self._engine.dispose()
        if self.path is not None:
            for tail in ("", "-journal"):
                self.path.with_name(self.path.name + tail).unlink(missing_ok=True)

    @property
    def sentence(self) -> str:
        """What is done with what an unfinished run left; empty where nothing is to say."""
        where = repr(str(self.path)) if self.path is not None else "the store of trials"
        trials = self.count()
        number = number_of(trials, "finished trial")
        if trials and not self.taken:
            return (
                f"an unfinished run of the same lies in {where}, with {number}; it is begun "
                "anew: --resume would go on with it"
            )
        if trials:
            return f"{number} taken from {where}; what they took counts in the budget"
        if self.taken:
            return f"nothing to resume in {where}: no finished trial of the same data and task"
        return ""

    @property
    def _there(self) -> bool:
        """Whether the table is; a file that is not there is not made by looking."""
        if self._begun:
            return True
        if self.path is not None and not self.path.is_file():
            return False
        from sqlalchemy import inspect

        with self._connected() as connection:
            self._begun = inspect(connection).has_table("acclimate_trials")
        return self._begun

    @property
    def _postgres(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    def _sql(self, text: str) -> str:
        return text.replace("?", "%s") if self._postgres else text

    @cached_property
    def _engine(self) -> Engine:
        from sqlalchemy import create_engine, make_url
        from sqlalchemy.exc import ArgumentError
        from sqlalchemy.pool import NullPool

        try:
            url = make_url(self.url)
            if self.path is None:
                if url.get_backend_name() not in ("postgresql", "postgres"):
                    raise UsageError(
                        "Expected ACCLIMATE_TRIALS to be a URL of PostgreSQL; found "
                        f"{self.url!r}. Mend it, or unset it: the run's folder keeps them then."
                    )
                url = url.set(drivername="postgresql+psycopg")
            return create_engine(url, poolclass=NullPool, hide_parameters=True)
        except (ArgumentError, ImportError) as error:
            raise self._refused(error) from None

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A transaction that is on disk when it ends, or did not happen."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._refused(error) from None

    def _refused(self, error: Exception) -> UsageError:
        where = str(self.path) if self.path is not None else without_password(self.url)
        return UsageError(
            f"Expected to keep finished trials at {where!r}; found: "
            f"{without_password(str(error)).splitlines()[0]}. Remove that file or mend "
            "ACCLIMATE_TRIALS, and look for room on its disk."
        )

    def name_of(self, arm: Arm, how: str) -> str:
        """What a trial is known by within its run: its arm and what it may be tuned to."""
        grid = [Arm(arm.strategy, model).settings for model in arm.strategy.models(arm.model)]
        text = json.dumps([how, arm.name, arm.settings, grid], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _as_tuned(arm: Arm, settings: Any, problem: Problem) -> Arm | None:
    """The arm with those of its settings that tuning chose; None where it has them no more."""
    models = [arm.model, *arm.strategy.models(arm.model)]
    tried = [arm.with_model(model) for model in models]
    for each in tried:
        if _as_json(each.settings) == settings:
            return each
    # A strategy's settings depend on the problem, which takes a moment to encode.
    for strategy in arm.strategy.grid(arm.encoded(problem)):
        for each in tried:
            one = each.with_strategy(strategy)
            if _as_json(one.settings) == settings:
                return one
    return None


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
