"""A fixture for the katas whose tasks and functions may not sleep."""

from __future__ import annotations

import sys
import time

import pytest

from dojo.answers import MODULE_NAME


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the module `tasks` wanted to sleep. They are noted, and not slept.

    Ask for it with `pytestmark = pytest.mark.usefixtures("naps")`: it must be there before
    `kata`, or else `from time import sleep` escapes it.
    """
    naps: list[float] = []
    sleep = time.sleep

    def nap(seconds: float) -> None:
        if sys._getframe(1).f_globals.get("__name__") == MODULE_NAME:
            naps.append(seconds)
        else:
            sleep(seconds)

    monkeypatch.setattr(time, "sleep", nap)
    return naps
