"""Switches the dojo on. The order matters: the dojo refines Celery's own fixtures."""

import sys
from importlib.util import find_spec

if missing := [name for name in ("celery", "dojo") if find_spec(name) is None]:
    sys.stderr.write(
        f"This pytest cannot import {' and '.join(missing)}. Use the one of this project:\n"
        "    uv run pytest\n"
        "or `pip install -e .` in an environment of your own, and its pytest: see README.md.\n"
    )
    sys.exit(4)  # pytest's own code for a wrong command

pytest_plugins = ("celery.contrib.pytest", "dojo.plugin", "pytester")
