"""The options that the dojo adds to pytest's command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dojo.curriculum import ROOT, katas

PATHS = "katas_paths"  # where an option leaves a path that it found in place of its value


class _MaybeValue(argparse.Action):
    """An option that can stand alone, before a path: `pytest --hint katas/03_chord`.

    Args:
        words: the values that it knows; what else follows it is a path.
    """

    def __init__(
        self,
        option_strings: Sequence[str],
        dest: str,
        words: Sequence[str],
        help: str,  # noqa: A002 - argparse's word
    ) -> None:
        shown = "|".join(words)
        super().__init__(option_strings, dest, nargs="?", const=words[0], metavar=shown, help=help)
        self.words = words

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's signature
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        value = str(values)
        if value not in self.words:
            if "/" not in value and "\\" not in value:
                raise argparse.ArgumentError(self, f"{value!r} is none of {', '.join(self.words)}")
            setattr(namespace, PATHS, [*getattr(namespace, PATHS, []), value])
            value = self.words[0]
        setattr(namespace, self.dest, value)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("katas")
    group.addoption(
        "--hint",
        action=_MaybeValue,
        words=("1", "2", "3"),
        help="give a hint for the first TODO that fails: --hint=2 and --hint=3 tell more",
    )
    group.addoption(
        "--diff",
        action=_MaybeValue,
        words=("done", "anyway"),
        help="show how your file differs from the reference, once the kata is done; "
        "--diff=anyway does not wait for that",
    )
    group.addoption(
        "--timeline",
        metavar="FILE.html",
        help="write what Celery did in each test to this page, as a chart",
    )


def find_katas(config: pytest.Config) -> None:
    """Let pytest run what was meant: paths that an option found in place of its value, the
    kata of a file that holds an answer, and a kata by the beginning of its name."""
    paths = getattr(config.option, PATHS, [])
    if paths and config.args_source is not config.ArgsSource.ARGS:
        config.args = []
    config.args = [_meant(arg, config.invocation_params.dir) for arg in [*config.args, *paths]]


def _meant(arg: str, start: Path) -> str:
    path = start / arg
    for kata in katas():
        if path in (kata.stub, kata.folder / "README.md"):
            return str(kata.folder)
    if path.exists() or not path.name or path.parent not in (start, ROOT, ROOT / "katas"):
        return arg
    found = [kata.folder for kata in katas() if kata.slug.startswith(path.name)]
    return str(found[0]) if len(found) == 1 else arg
