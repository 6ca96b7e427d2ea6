"""An explanation as it stands on the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from _pytest._code.code import TerminalRepr
from _pytest._io import TerminalWriter

from dojo.telling.explanation import Explanation
from dojo.telling.words import indented, plain, shortened


class Block(TerminalRepr):
    """Writes an explanation on a terminal of any width; the sentence that matters stands out.

    Args:
        explanation: what is to be said.
        short: leave out what Celery did, and where to go on.
    """

    def __init__(self, explanation: Explanation, short: bool = False) -> None:
        self._said, self._short = explanation, short

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write it."""
        for line, markup in self._lines(tw.fullwidth):
            tw.line(plain(line, tw._file), **markup)

    def height(self, width: int) -> int:
        """How many lines it takes, with its headline."""
        return 1 + len(list(self._lines(width)))

    def _lines(self, width: int) -> Iterator[tuple[str, dict[str, bool]]]:
        said = self._said
        nothing: tuple[str, dict[str, bool]] = ("", {})
        if not said.of_file:
            yield from _wrapped(said.requirement, width)
            yield nothing
        sentence, _, more = said.what.partition("\n\n")
        yield from _wrapped(indented(sentence), width, bold=True)
        if more:
            yield nothing
            yield from _wrapped(indented(more), width)
        if self._short or said.of_file:
            return
        if said.timeline:
            yield nothing
            yield "What Celery did:", {}
            for line in indented(said.timeline).splitlines():
                yield shortened(line, width), {}
        if said.way_on:
            yield nothing
            yield from _wrapped(said.way_on, width)


def _wrapped(text: str, width: int, **markup: Any) -> Iterator[tuple[str, dict[str, bool]]]:
    """The lines of a text; a long one goes on below its own beginning."""
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        wrapped = textwrap.wrap(
            line.strip(),
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield from ((one, markup) for one in wrapped or [""])
