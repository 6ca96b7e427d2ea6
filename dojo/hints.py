"""The hints of a kata. They stand in its README, three for each TODO, folded."""

from __future__ import annotations

import re

from dojo.curriculum import Kata

GRADES = ("first", "second", "third")
HINT = re.compile(
    r"<details><summary>TODO (\d+), (first|second|third) hint</summary>\s*(.*?)\s*</details>", re.S
)
LINK = re.compile(r"\[([^]]+)]\((\S+?)\)")


def hints(kata: Kata) -> dict[tuple[int, int], str]:
    """The hints of a kata by the number of the TODO and the grade, from 1 to 3."""
    readme = (kata.folder / "README.md").read_text(encoding="utf-8")
    return {
        (int(todo), GRADES.index(grade) + 1): LINK.sub(r"\1 (\2)", text)
        for todo, grade, text in HINT.findall(readme)
    }


def hint(kata: Kata, todo: int, grade: int) -> str:
    """One hint as the learner reads it, with its heading."""
    text = hints(kata).get((todo, grade), "There is no such hint.")
    return f"TODO {todo}, {GRADES[grade - 1]} hint\n\n{text}"
