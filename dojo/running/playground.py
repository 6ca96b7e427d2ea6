"""Celery's own command line on one answer.

`python -m dojo celery 05_routing worker --loglevel=INFO` is `celery -A tasks worker
--loglevel=INFO`, with the answer to kata 05_routing as the module `tasks`. SOLUTIONS=1 takes
the reference solution.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dojo.grading import answers, curriculum
from dojo.grading.answers import AnswerError
from dojo.grading.curriculum import Kata

#: The Redis of docker-compose.yml. Alone, Celery would look for a RabbitMQ and keep no results.
REDIS = "redis://127.0.0.1:6379/0"


def add_to(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command `celery`."""
    parser = subparsers.add_parser(
        "celery",
        help="run Celery's own command line on your answer to a kata",
        description="Runs `celery -A tasks …` on your answer to a kata, or on the reference "
        "solution if SOLUTIONS=1 is set. The broker is the one that CELERY_BROKER_URL names, "
        "and results go where CELERY_RESULT_BACKEND says; without them both are KATAS_REDIS_URL, "
        f"or else {REDIS}.",
    )
    parser.add_argument("kata", help="its folder or number, such as 05_routing or 5")
    parser.add_argument(
        "rest",
        nargs=argparse.REMAINDER,
        metavar="…",
        help="what Celery is told, such as: worker --loglevel=INFO",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Become Celery's command line. On POSIX systems this does not return.

    Raises:
        AnswerError: there is no such kata, or no answer to it.
    """
    kata = find(arguments.kata)
    answer = answers.answer_of(kata)
    command = [sys.executable, "-m", "celery", "-A", answers.MODULE_NAME, *arguments.rest]
    return _become(command, environment(kata, answer))


def find(name: str) -> Kata:
    """The kata with this folder or number.

    Raises:
        AnswerError: there is none.
    """
    wanted = Path(name).name
    katas = curriculum.katas()
    for kata in katas:
        if wanted in (kata.slug, kata.slug[:2], str(int(kata.slug[:2]))):
            return kata
    known = ", ".join(kata.slug for kata in katas)
    raise AnswerError(f"There is no kata {name!r}. The katas are: {known}.")


def environment(
    kata: Kata, answer: Path, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The variables with which Celery finds the answer, the broker and the results."""
    places = answers.search_path(kata, answer)
    inherited = environ.get("PYTHONPATH")
    redis = environ.get("KATAS_REDIS_URL", REDIS)
    return {
        "CELERY_BROKER_URL": redis,
        "CELERY_RESULT_BACKEND": redis,
        **environ,
        "PYTHONPATH": os.pathsep.join([*places, inherited] if inherited else places),
    }


def _become(command: list[str], environment: dict[str, str]) -> int:
    # Python looks into the current folder first, and there may be a tasks.py of another kata.
    folder = curriculum.ROOT
    if sys.platform != "win32":
        os.chdir(folder)
        os.execve(sys.executable, command, environment)  # noqa: S606
    # There, exec would give the prompt back while Celery runs.
    return subprocess.run(command, env=environment, cwd=folder).returncode
