"""What the dojo's options have in common."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import pytest

GROUP = "katas"
PATHS = "katas_paths"  # where an option leaves a path that it found in place of its value


class _MaybeValue(argparse.Action):
    """An option that can stand alone, before a path: `pytest --hint katas/03_chord`."""

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


def add_option(parser: pytest.Parser, name: str, words: Sequence[str], does: str) -> None:
    """Add an option that may stand alone.

    Args:
        words: the values that it knows, the first one for when it stands alone; what else
            follows it is a path.
        does: the text for `--help`.
    """
    parser.getgroup(GROUP).addoption(name, action=_MaybeValue, words=words, help=does)
