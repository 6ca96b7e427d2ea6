"""What is measured: the programs, and the rows that are worked out of their runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points

from _pytest.config import default_plugins

from benchmarks.budgets import Row
from benchmarks.processes import Program, Run

SOLUTIONS = {"SOLUTIONS": "1"}
SHORT = 4  # turns in a round of a program that runs for about a second
TIMED = ("-p", "benchmarks.timing")

# A test that asks for nothing of the dojo's but `kata` and `celery_worker`.
WITH_A_WORKER = ("katas/01_first_task/test_first_task.py::test_every_way_to_pass_arguments",)
# Tests that ask for `eager`.
EAGER = tuple(
    f"katas/04_retry/test_retry.py::{name}"
    for name in (
        "test_it_returns_the_answer_of_the_gateway",
        "test_a_direct_call_raises",
        "test_the_retries_are_declared",
    )
)

#: What a run with an app cannot do without …
APP_NEEDS = (
    "celery.contrib.pytest",
    "celery.app.amqp",
    "celery.app.base",
    "celery.app.builtins",
    "celery.app.trace",
    "celery.backends.cache",
    "celery.loaders.app",
    "celery.result",
    "kombu.transport.memory",
)
#: … and what a worker and a Redis in the same process need beside it.
WORKER_NEEDS = (
    "celery.backends.redis",
    "celery.concurrency.solo",
    "celery.concurrency.thread",
    "celery.contrib.testing.worker",
    "celery.worker.consumer",
    "celery.worker.worker",
    "fakeredis",
    "kombu.transport.redis",
)


#: The plugins that pyproject.toml switches off.
SWITCHED_OFF = {"anyio", "celery", "docker_tools", "unraisableexception"}
OURS = "dojo-garbage"


def plugins() -> list[str]:
    """The plugins that pytest imports in every run: its own, and those that are installed."""
    own = {f"_pytest.{name}" for name in default_plugins if name not in SWITCHED_OFF}
    found = entry_points(group="pytest11")
    return sorted(own | {p.module for p in found if p.name not in SWITCHED_OFF and p.name != OURS})


def importing(*modules: str) -> Program:
    """A program that only imports pytest with its plugins, and these modules."""
    code = f"import {', '.join(['pytest', *plugins(), *modules])}"
    return Program(("-c", code), turns=SHORT)


def solving(*options: str, turns: int = 1) -> Program:
    """pytest on the reference solutions."""
    return Program(("-m", "pytest", *options), SOLUTIONS, turns=turns)


def bare() -> Program:
    """pytest with the same plugins on three empty tests beside an app's imports: the floor."""
    off = [word for name in sorted(SWITCHED_OFF | {OURS}) for word in ("-p", f"no:{name}")]
    options = ("-c", os.devnull, "--rootdir=.", "--noconftest", "-p", "celery.contrib.pytest")
    return Program(("-m", "pytest", *options, *off, "benchmarks/bare.py"), turns=SHORT)


def programs() -> dict[str, Program]:
    """Everything that is run in a round, by name."""
    stock = ("--noconftest", "-p", "celery.contrib.pytest", "-p", "benchmarks.stock")
    return {
        "bare pytest": bare(),
        "imports for a worker": importing(*APP_NEEDS, *WORKER_NEEDS),
        "eager kata": solving(*EAGER, turns=SHORT),
        "embedded kata": solving("katas/01_first_task", turns=SHORT),
        "worker tests": solving(*TIMED, *WITH_A_WORKER),
        "worker tests, stock way": Program(("-m", "pytest", *stock, *TIMED, *WITH_A_WORKER)),
        "all stubs": Program(("-m", "pytest"), exit_code=1),
        "all solutions": solving(*TIMED),
        "all solutions, -n 2": solving("-n", "2"),
    }


class Measured:
    """The runs of all programs, and the reasons of those that failed."""

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.runs: dict[str, list[Run]] = {}
        self.failures: dict[str, str] = {}

    def seconds(self, name: str) -> float:
        """The time of the best run: other programs on the machine only make one slower."""
        return min(run.seconds for run in self.runs[name])

    def tests(self, name: str, processes: bool = False) -> list[float]:
        """The time of each test in its best run."""
        times: dict[str, float] = {}
        for run in self.runs[name]:
            for test, time in run.tests.items():
                if time.processes == processes:
                    times[test] = min(time.seconds, times.get(test, time.seconds))
        return list(times.values())

    def megabytes(self) -> float:
        """The peak of the largest process of the solutions, in its worst run."""
        names = ("all solutions", "all solutions, -n 2")
        return max(run.megabytes for name in names for run in self.runs[name])


def rows(measured: Measured) -> list[Row]:
    """The table."""

    def row(
        name: str,
        value: Callable[[], float],
        unit: str,
        budget: float,
        uses: tuple[str, ...],
        at_least: bool = False,
    ) -> Row:
        failed = [used for used in uses if used not in measured.runs]
        if failed:
            return Row(name, None, unit, budget, at_least, f"{', '.join(failed)} failed")
        return Row(name, value(), unit, budget, at_least)

    def ratio(name: str, above: str, below: str, budget: float, at_least: bool = False) -> Row:
        def value() -> float:
            return measured.seconds(above) / measured.seconds(below)

        return row(name, value, "x", budget, (above, below), at_least)

    def times_faster() -> float:
        return sum(measured.tests("worker tests, stock way")) / sum(measured.tests("worker tests"))

    def slowest(processes: bool) -> Callable[[], float]:
        return lambda: max(measured.tests("all solutions", processes), default=0.0)

    one, two = "all solutions", "all solutions, -n 2"
    return [
        ratio("an eager kata / bare pytest", "eager kata", "bare pytest", 1.1),
        ratio("an embedded kata / its imports", "embedded kata", "imports for a worker", 2),
        row(
            "a test with a worker: stock way / ours",
            times_faster,
            "x",
            40,
            ("worker tests", "worker tests, stock way"),
            at_least=True,
        ),
        ratio("all stubs / all solutions", "all stubs", one, 1),
        ratio("all solutions: one process / two", one, two, 1.6, at_least=True)
        if measured.cores > 1
        else Row("all solutions: one process / two", None, "x", 1.6, True, "needs two cores"),
        row("memory of the largest process", measured.megabytes, "MB", 200, (one, two)),
        row("slowest test", slowest(False), "s", 1, (one,)),
        row("slowest test with worker processes", slowest(True), "s", 5, (one,)),
    ]
