"""The command line: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.budgets import Row, table
from benchmarks.cases import Measured, programs, rows
from benchmarks.processes import MeasurementError, Program, run

FAILED, MISSED = 2, 1


@dataclass(frozen=True)
class Machine:
    """Where it was measured. `load` is the load average before the first program."""

    python: str
    celery: str
    cores: int
    load: float

    @classmethod
    def here(cls) -> Machine:
        """This machine, and the cores of it that this process may use."""
        linux = sys.platform == "linux"
        cores = len(os.sched_getaffinity(0)) if linux else os.cpu_count() or 1
        return cls(platform.python_version(), version("celery"), cores, os.getloadavg()[0])

    def __str__(self) -> str:
        text = f"Python {self.python}, Celery {self.celery}, {self.cores} cores"
        busy = self.load > self.cores - 1.5
        text += f", load at the start {self.load:.1f}"
        return text + (": busy, so that two processes gain less than they could" if busy else "")


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=rounds, default=3, help="how many rounds (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to FILE, too")
    parser.add_argument("--check", action="store_true", help="a missed budget is exit code 1")
    return parser


def rounds(text: str) -> int:
    """A number of rounds, 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one round")
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return the exit code."""
    arguments = parser().parse_args(argv)
    machine = Machine.here()
    measured = measure(arguments.rounds, machine.cores)
    result = rows(measured)
    for name, reason in measured.failures.items():
        sys.stderr.write(f"{name} failed: {reason}\n")
    sys.stdout.write(f"{machine}\n\n{table(result)}\n")
    if arguments.json:
        text = json.dumps(as_json(machine, measured, result), indent=2)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    return exit_code(measured, result, arguments.check)


def measure(rounds: int, cores: int) -> Measured:
    """Let the programs take turns, so that load on the machine meets them all alike."""
    measured = Measured(cores)
    for number in range(1, rounds + 1):
        for name, program in one_round():
            if name in measured.failures:
                continue
            try:
                result = run(program)
            except MeasurementError as error:
                measured.failures[name] = str(error)
                measured.runs.pop(name, None)
                continue
            measured.runs.setdefault(name, []).append(result)
            sys.stderr.write(f"round {number} of {rounds}: {name}: {result.seconds:.2f} s\n")
    return measured


def one_round() -> Iterator[tuple[str, Program]]:
    """Every program as often as it has turns, never twice in a row if others have turns left."""
    every = programs()
    for turn in range(max(program.turns for program in every.values())):
        yield from ((name, program) for name, program in every.items() if turn < program.turns)


def as_json(machine: Machine, measured: Measured, result: list[Row]) -> dict[str, object]:
    """What the JSON file holds: the rows, and the time of every run they come from."""
    seconds = {name: [run.seconds for run in runs] for name, runs in measured.runs.items()}
    return {
        **asdict(machine),
        "rows": [row.as_dict() for row in result],
        "seconds": seconds,
        "failures": measured.failures,
    }


def exit_code(measured: Measured, result: list[Row], check: bool) -> int:
    """0; FAILED if a program did not run; with `check`, MISSED if a budget is missed."""
    if measured.failures:
        return FAILED
    missed = any(row.kept is False for row in result)
    return MISSED if check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
