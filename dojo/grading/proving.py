"""Runs a kata's tests on an answer, in a process of its own, and tells what each test said.

The processes are forked from one that has imported Celery and pytest and done nothing
else, so that an answer costs what its tests cost, and cannot harm another one.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.config import default_plugins

from dojo.grading.curriculum import ROOT
from dojo.grading.proofs import Answer

#: What nearly every run of a kata imports, now or later: half the cost of a short one.
PRELOAD = [
    "pytest",
    *(f"_pytest.{name}" for name in default_plugins if name != "unraisableexception"),
    *("pytest_timeout", "xdist.plugin", "time_machine", "pdb"),
    *("celery.contrib.pytest", "celery.contrib.testing.worker", "celery.worker.consumer"),
    *("celery.backends.redis", "celery.concurrency.solo", "celery.concurrency.thread"),
    *("celery.app.control", "celery.loaders.app", "celery.fixups.django"),
    *("kombu.transport.redis", "dojo.plugin", "dojo.running.broker", "dojo.telling.explain"),
]
PATIENCE = 300.0  # seconds for one answer, on a machine of any speed


@dataclass(frozen=True)
class Verdict:
    """What one test said of an answer: `text` is what the learner reads."""

    test: str
    outcome: str
    text: str
    seconds: float

    @property
    def timed_out(self) -> bool:
        """Whether the hang guard ended the test. A kata must not come to that."""
        return "Timeout (>" in self.text


class _Collector:
    """A pytest plugin that keeps what is reported of each test."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Verdict] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.split("::", 1)[1]
        before = self.verdicts.get(name)
        if report.when == "call" or report.failed:
            seconds = report.duration + (before.seconds if before else 0.0)
            outcome = "failed" if report.failed else report.outcome
            self.verdicts[name] = Verdict(name, outcome, report.longreprtext, seconds)


def grade(answer: Answer, whole: bool = True) -> list[Verdict]:
    """Run the kata's tests on `answer`, in this process. Nothing is printed.

    Args:
        whole: run all tests on a wrong answer, too, and not only those that must catch it.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / answer.kata.slug
        place.mkdir()
        (place / "tasks.py").write_text(answer.source, encoding="utf-8")
        os.environ["KATAS_ANSWERS"] = folder
        os.chdir(ROOT)
        with (place / "output").open("wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        collector = _Collector()
        options = ["-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist", "-q"]
        chosen = [str(answer.kata.folder)]
        if answer.caught_by and not whole:
            chosen = [f"{answer.kata.tests}::{name}" for name in answer.caught_by]
        pytest.main([*chosen, *options], plugins=[collector])
        return list(collector.verdicts.values())


class Prover:
    """Grades answers side by side, each in a fresh process. Use it as a context manager.

    Args:
        side_by_side: how many at a time; None is one for each core.
        whole: see `grade`.
    """

    def __init__(self, side_by_side: int | None = None, whole: bool = False) -> None:
        self._whole = whole
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        processes = side_by_side or os.cpu_count() or 1
        self._pool = context.Pool(processes, maxtasksperchild=1)
        self._verdicts: dict[str, multiprocessing.pool.AsyncResult[list[Verdict]]] = {}

    def __enter__(self) -> Prover:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.terminate()

    def start(self, answers: Iterable[Answer]) -> None:
        """Begin to grade these answers."""
        for answer in answers:
            if answer.id not in self._verdicts:
                self._verdicts[answer.id] = self._pool.apply_async(grade, (answer, self._whole))

    def verdicts(self, answer: Answer) -> list[Verdict]:
        """What each test said of `answer`, or what those said that must catch it.

        Raises:
            multiprocessing.TimeoutError: the answer ended its process, or takes for ever.
        """
        self.start([answer])
        return self._verdicts[answer.id].get(PATIENCE)
