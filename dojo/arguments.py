"""What a command line means: `pytest katas/03` and `pytest --hint katas/03_chord/tasks.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dojo.grading import curriculum
from dojo.telling.option import PATHS


def find_katas(config: pytest.Config) -> None:
    """Let pytest run what was meant: paths that an option found in place of its value, the
    kata of a file that holds an answer, and a kata by the beginning of its name."""
    paths = getattr(config.option, PATHS, [])
    if paths and config.args_source is not config.ArgsSource.ARGS:
        config.args = []
    config.args = [_meant(arg, config.invocation_params.dir) for arg in [*config.args, *paths]]


def _meant(arg: str, start: Path) -> str:
    path, root = start / arg, curriculum.ROOT
    for kata in curriculum.katas():
        if path in (kata.stub, kata.folder / "README.md"):
            return str(kata.folder)
    if path.exists() or not path.name or path.parent not in (start, root, root / "katas"):
        return arg
    found = [kata.folder for kata in curriculum.katas() if kata.slug.startswith(path.name)]
    return str(found[0]) if len(found) == 1 else arg
