"""What is said about one failure."""

from __future__ import annotations

from dataclasses import dataclass

from dojo.telling.words import indented, paragraphs


@dataclass
class Explanation:
    """The text for one failure, in its parts.

    Args:
        requirement: what the test asks for.
        what: what went wrong.
        timeline: what Celery did, drawn.
        way_on: where to go on: the TODO, its place, and how to get a hint.
        todo: the TODO that the failure is about, if that is known.
        of_file: is it about the file as a whole?
        headline: what it is about, if not about the file of the answer.
        cause: the text that need not be said again for another test, if there is one.
    """

    requirement: str
    what: str
    timeline: str = ""
    way_on: str = ""
    todo: int | None = None
    of_file: bool = False
    headline: str = ""
    cause: str = ""

    @property
    def text(self) -> str:
        """The whole text, as it is printed."""
        if self.of_file:
            return indented(self.what)
        celery = f"What Celery did:\n{indented(self.timeline)}" if self.timeline else ""
        return paragraphs([self.requirement, indented(self.what), celery, self.way_on])
