"""The workshop: a small copy of this repository, with katas of a test's own making."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from dojo.grading import curriculum
from dojo.running import servers

if TYPE_CHECKING:
    from redis import Redis

    from tests.embedded import Broker

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
        return self.pytester.runpytest_subprocess("--timeout=20", *options, timeout=280)

    def passes(self, count: int, *options: str) -> None:
        """Run pytest and make sure that so many tests ran, and that all of them passed."""
        result = self.run(*options)
        result.assert_outcomes(passed=count)
        assert result.ret == pytest.ExitCode.OK


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the proofs."""
    parser.addoption(
        "--whole",
        action="store_true",
        help="run all tests of a kata on each wrong answer, not only those that must catch it",
    )
    parser.addoption(
        "--since",
        metavar="COMMIT",
        help="run the proofs of the katas that were changed since, and a quarter of the others",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the proofs that `--since` does not ask for."""
    since = config.getoption("since")
    if since is None:
        return
    from tests.sampling import sampled  # it needs git

    try:
        kept, left_out = sampled(items, since)
    except subprocess.CalledProcessError as error:
        raise pytest.UsageError(f"--since {since}: {error.stderr.strip()}") from None
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def workshop(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """An empty workshop."""
    for name in TOLD_OUTSIDE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")  # so that no sentence is wrapped
    return Workshop(pytester)


@pytest.fixture
def shop(workshop: Workshop) -> Workshop:
    """See `tests.shop.built`."""
    from tests.shop import built  # it needs this module

    return built(workshop)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """An embedded Redis of the test's own."""
    from tests.embedded import Broker

    with (running := Broker()):
        yield running


@pytest.fixture
def client(broker: Broker) -> Iterator[Redis]:
    """A client of that Redis."""
    from redis import Redis

    with Redis.from_url(broker.url, single_connection_client=True) as connected:
        yield connected
