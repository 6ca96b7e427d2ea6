"""Small helpers for texts that the learner reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TextIO

WIDEST = 200  # characters of a line that somebody else has made
MOST_LINES = 8  # of one message
#: How what we draw is written where the terminal has only plain letters.
PLAIN = str.maketrans(
    {"█": "#", "░": ".", "✓": "*", "→": ">", "·": "-", "…": "...", "≥": ">=", "≤": "<=", "≈": "~"}
)


def command(*words: str) -> str:
    """A command as the learner types it, with `uv run` if that is how this run was started."""
    return " ".join([*(["uv", "run"] if os.environ.get("UV") else []), *words])


def plain(text: str, stream: TextIO) -> str:
    """`text` as the stream can show it."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return text.translate(PLAIN)
    return text


def shortened(line: str, most: int = WIDEST) -> str:
    """The line, cut to `most` characters."""
    return line if len(line) <= most else line[: most - 1] + "…"


def cut(lines: Iterable[str], most: int = MOST_LINES) -> str:
    """The lines as one text, each shortened, and not more of them than `most`."""
    kept = list(lines)
    if len(kept) > most:
        kept = [*kept[: most - 1], "…"]
    return "\n".join(map(shortened, kept))


def indented(text: str) -> str:
    """The text, each line of it moved to the right."""
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def paragraphs(texts: Iterable[str], between: str = "\n\n") -> str:
    """The texts that say something, as one text."""
    return between.join(filter(None, texts))
