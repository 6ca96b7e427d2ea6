"""The workshop: a small copy of this repository, with katas of a test's own making."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent

import pytest

from dojo.grading import curriculum
from dojo.running import servers
from tests.forks import forked

#: What the outer run was told must not reach the inner ones.
TOLD_OUTSIDE = (
    "SOLUTIONS",
    "KATAS_ANSWERS",
    "PYTEST_ADDOPTS",
    "UV",
    "CI",
    "BUILD_NUMBER",
    *servers.SCHEMES,
)

TASKS = """
from celery import Celery

app = Celery("sample")


@app.task
def add(x, y):
    return x + y
"""

PASSES = '''
def test_other(kata, eager):
    """The other kata is not disturbed."""
    assert kata.add.delay(1, 2).get() == 3
'''


class Workshop:
    """A folder that looks like the repository to the dojo; `run` starts pytest in it.

    The runs are processes of their own, because the dojo changes Celery and the
    environment of the whole process.
    """

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.folder = pytester.path
        self.pytester = pytester
        shutil.copy(curriculum.ROOT / "pyproject.toml", self.folder)
        self.write(
            "conftest.py",
            (curriculum.ROOT / "conftest.py").read_text(encoding="utf-8")
            + dedent(
                """
                from pathlib import Path
                from dojo.grading import curriculum

                curriculum.ROOT = Path(__file__).resolve().parent
                """
            ),
        )

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file of the workshop; text may be indented as a whole."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        return path

    def kata(self, tests: str, tasks: str | bytes = TASKS, slug: str = "99_sample") -> Path:
        """Write a kata with these tests and this answer, and return the file of the answer."""
        self.write(f"katas/{slug}/test_{slug[3:]}.py", tests)
        return self.write(f"katas/{slug}/tasks.py", tasks)

    def other_kata(self) -> None:
        """Write a second kata, 98_other. It has one test, which passes."""
        self.kata(PASSES, slug="98_other")

    def run(self, *options: str) -> pytest.RunResult:
        """Run pytest in this folder, as a learner would.

        The hang guard is set well above what any test takes, and well below the patience
        of the test outside: what waits in vain is seen as such.
        """
        return forked(self.folder, ("--timeout=20", *options), patience=280)

    def passes(self, count: int, *options: str) -> None:
        """Run pytest and make sure that so many tests ran, and that all of them passed."""
        result = self.run(*options)
        result.assert_outcomes(passed=count)
        assert result.ret == pytest.ExitCode.OK
