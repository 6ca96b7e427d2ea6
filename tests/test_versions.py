"""The right Celery runs, and a kata that needs another one is skipped."""

from __future__ import annotations

import os
import re
import sys

import celery
import pytest

from tests.workshop import PASSES, TASKS, Workshop

NAMED = re.search(r"py3(\d+)-celery(\d)(\d+)", os.environ.get("TOX_ENV_NAME", ""))


@pytest.mark.skipif(NAMED is None, reason="not in an environment of tox that names a Celery")
def test_tox_runs_what_it_names() -> None:
    """Each environment of tox really has the Python and the Celery of its name."""
    assert NAMED is not None
    minor, *version = map(int, NAMED.groups())
    assert sys.version_info[:2] == (3, minor)
    assert celery.VERSION[:2] == tuple(version)


def test_a_kata_that_needs_another_version(workshop: Workshop) -> None:
    """Its tests are skipped with the reason, nothing of it is imported, and it is not done."""
    workshop.other_kata()
    workshop.kata(PASSES, "raise SystemExit")
    workshop.write("katas/99_sample/kata.toml", 'needs = "celery>=99.5"')

    result = workshop.run("-rs")

    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*99_sample*needs Celery ≥ 99.5"])
    result.stdout.fnmatch_lines(["SKIPPED*: needs Celery ≥ 99.5"])


@pytest.mark.parametrize("needs", ["celery>=5.3", "celery>=5.3,<99", "redis!=5.3.*"])
def test_a_kata_that_needs_this_version(workshop: Workshop, needs: str) -> None:
    """Its tests run."""
    workshop.kata(PASSES, TASKS)
    workshop.write("katas/99_sample/kata.toml", f'needs = "{needs}"')
    workshop.passes(1)
