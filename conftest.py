"""Switches the dojo on. The order matters: the dojo refines Celery's own fixtures."""

pytest_plugins = ("celery.contrib.pytest", "dojo.plugin", "pytester")
