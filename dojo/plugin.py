"""The pytest plugin: hands pytest's hooks on to the rooms of the dojo."""

from __future__ import annotations

import importlib

import pytest

from dojo import arguments
from dojo.grading import curriculum
from dojo.running import servers
from dojo.safety.limits import too_few_files
from dojo.telling.progress import TALLY, Tally

#: The rooms' own plugins: what has fixtures, options or hooks.
PLUGINS = [
    importlib.import_module(f"dojo.{name}")
    for name in (
        *("fixtures.evidence", "fixtures.kata", "fixtures.mail", "fixtures.servers"),
        *("fixtures.workers", "safety.guard"),
        *("telling.chart", "telling.diff", "telling.hints", "telling.map"),
        *("telling.report", "telling.screen"),
    )
]
HANG_GUARD = 30  # seconds; the last resort. A kata that reaches it is a defect of ours.
PYTESTS_OWN = "fE"  # what `-r` is when nobody gives it
MARKERS = (
    "cluster: needs a Docker engine, which starts a Redis and a RabbitMQ; off by default",
    "todo(number): the TODO of the kata that the test is about",
    "worker(queues, concurrency): how the celery_worker fixture sets up the worker",
)
WARNINGS = (
    "ignore:Call to deprecated setex:DeprecationWarning",  # Celery's, with redis-py 8
    "ignore:Exception raised outside body:RuntimeWarning",  # the timeline tells it better
)


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the rooms' plugins.

    `pytest_plugins` would do the same, and read the entry points of every installed package
    once for each name: 4 ms a name, in every run.
    """
    for plugin in PLUGINS:
        pluginmanager.register(plugin, plugin.__name__)


def _set_up(config: pytest.Config) -> None:
    """Settings that hold whatever ini file pytest has found."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    for warning in WARNINGS:
        config.addinivalue_line("filterwarnings", warning)
    if config.option.timeout is None and not config.getini("timeout"):
        config.option.timeout, config.option.timeout_method = HANG_GUARD, "signal"
    if config.pluginmanager.has_plugin("terminal"):
        config.option.no_header = True
        if config.option.reportchars == PYTESTS_OWN:
            config.option.reportchars = "N"  # the map of the katas says what failed


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Look for the servers and the katas, and begin to count."""
    if not (curriculum.ROOT / "katas").is_dir():
        raise pytest.UsageError(
            f"The dojo is installed in {curriculum.ROOT}, apart from its katas. In the folder of "
            "the katas: uv run pytest, or pip install -e . and then pytest."
        )
    _set_up(config)
    if trouble := too_few_files():
        raise pytest.UsageError(trouble)
    servers.check()
    arguments.find_katas(config)
    # Before all others: a report says which kata it is of before the failure is explained.
    config.stash[TALLY] = Tally()
    config.pluginmanager.register(config.stash[TALLY], "dojo-tally")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests of a kata that needs another version, before anything is imported."""
    kata = curriculum.kata_of(item.path)
    if kata and kata.lacks:
        pytest.skip(f"needs {kata.lacks}")
