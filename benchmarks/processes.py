"""Runs a program, and tells how long it took and how much memory it had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
#: Where the plugin `benchmarks.timing` writes what it has seen.
TIMES_FILE = "BENCHMARKS_TIMES"
#: What the katas' settings in the environment begin with. A measurement takes none of them over,
#: and it lets Python keep what it has compiled, as a learner's does.
SETTINGS = ("SOLUTIONS", "KATAS_", "CELERY_", "PYTEST_", "PYTHONDONTWRITEBYTECODE")
PATIENCE = 600.0  # seconds; no program comes near it unless it hangs
# Linux counts in KiB, macOS in bytes.
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Program:
    """A Python program: its arguments, what it adds to the environment, and its exit code.

    `turns` is how often it runs in a round: the time of a short program varies most.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = 0
    turns: int = 1


@dataclass(frozen=True)
class Duration:
    """How long a test took, with setup and teardown; whether it started worker processes."""

    seconds: float
    processes: bool


@dataclass(frozen=True)
class Run:
    """One run of a program. `megabytes` is the peak of its largest process."""

    seconds: float
    megabytes: float
    tests: dict[str, Duration] = field(default_factory=dict)


class MeasurementError(Exception):
    """A program did not do what was to be measured."""


def run(program: Program) -> Run:
    """Run the program in the folder of the repository.

    Raises:
        MeasurementError: it ended with another exit code, or not at all.
    """
    with TemporaryDirectory() as folder:
        output, times = Path(folder, "output"), Path(folder, "times.json")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
        environment = {**inherited, **program.environment, TIMES_FILE: str(times)}
        code, seconds, megabytes = _timed([sys.executable, *program.arguments], environment, output)
        if code != program.exit_code:
            last = output.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            what = f"exit code {code} and not {program.exit_code}"
            raise MeasurementError("\n    ".join([what, *last]))
        seen = json.loads(times.read_text(encoding="utf-8")) if times.exists() else {}
        tests = {name: Duration(**test) for name, test in seen.items()}
        return Run(seconds, megabytes, tests)


def _timed(
    command: list[str], environment: dict[str, str], output: Path
) -> tuple[int, float, float]:
    with output.open("wb") as file:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - our own command lines
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        guard = threading.Timer(PATIENCE, process.kill)
        guard.start()
        try:
            # What wait4() tells includes the children that the process has waited for.
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            guard.cancel()
            if process.returncode is None:
                process.kill()
                process.wait()
    return process.returncode, seconds, usage.ru_maxrss * MAXRSS_UNIT / 1e6
