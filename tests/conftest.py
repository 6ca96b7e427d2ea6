"""Options of the proofs, and the fixtures of several test files."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.workshop import TOLD_OUTSIDE, Workshop

if TYPE_CHECKING:
    from redis import Redis

    from tests.embedded import Broker


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
