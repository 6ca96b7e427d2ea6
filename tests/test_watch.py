"""The documented way to run a kata again on each save."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

import pytest

from tests.workshop import PASSES, TASKS, Workshop

pytest.importorskip("watchfiles", reason="watchfiles is not installed")
pytestmark = pytest.mark.timeout(300)

PYTEST = f'"{sys.executable}" -m pytest --timeout=20 katas/98_other'
WRONG = TASKS.replace("return x + y", "return x - y")


@pytest.fixture
def watcher(workshop: Workshop, request: pytest.FixtureRequest) -> Iterator[IO[bytes]]:
    """What the watching process prints. It watches a kata that fails."""
    workshop.kata(PASSES, WRONG, slug="98_other")
    process = subprocess.Popen(
        [sys.executable, "-m", "watchfiles", PYTEST, "katas"],
        cwd=workshop.folder,
        env={**os.environ, **request.param},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with process:
        assert process.stdout is not None
        yield process.stdout
        process.terminate()


def prints(output: IO[bytes], text: bytes, seconds: float | None = None) -> bool:
    """Read until a line holds `text`; give up when nothing comes for so many seconds."""
    printed = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while selector.select(seconds):
            printed += os.read(output.fileno(), 65536)
            if text in printed:
                return True
    return False


@pytest.mark.parametrize(
    "watcher", [{}, {"WATCHFILES_FORCE_POLLING": "1"}], ids=["events", "polling"], indirect=True
)
def test_a_save_runs_the_kata_again(workshop: Workshop, watcher: IO[bytes]) -> None:
    """The kata runs at once, and again when its file is saved."""
    assert prints(watcher, b"1 failed")
    for _ in range(20):  # the first save may come before the watching begins
        workshop.write("katas/98_other/tasks.py", TASKS)
        if prints(watcher, b"1 passed", seconds=10):
            return
    pytest.fail("the kata did not run again")
