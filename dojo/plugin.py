"""The pytest plugin: hands pytest's hooks on to the modules that know."""

from __future__ import annotations

pytest_plugins = ("dojo.fixtures",)
