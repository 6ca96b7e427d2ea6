"""`--timeline=FILE.html`: what Celery did in each test of the run, as a page with a chart.

Without the option none of this is imported.
"""

from __future__ import annotations

import pytest

from dojo.telling.option import GROUP


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup(GROUP).addoption(
        "--timeline",
        metavar="FILE.html",
        help="write what Celery did in each test to this page, as a chart",
    )


def pytest_configure(config: pytest.Config) -> None:
    """If a page is asked for, collect the timelines of this run, and write it when the run ends.

    Raises:
        pytest.UsageError: the page cannot be written there.
    """
    if (target := config.option.timeline) is not None:
        from dojo.telling.chart.collecting import Chart

        config.pluginmanager.register(Chart(config, target), "dojo-chart")
