"""How the learner's file differs from the reference."""

from __future__ import annotations

import difflib
from pathlib import Path

from dojo import answers, curriculum
from dojo.curriculum import Kata


def reference_of(kata: Kata) -> Path:
    """The reference solution of a kata, whether it is there or not."""
    return curriculum.ROOT / "solutions" / kata.slug / "tasks.py"


def difference(kata: Kata) -> list[str]:
    """The lines of a unified diff from the graded file to the reference; none if they are alike."""
    mine = answers.tree() / kata.slug / "tasks.py"
    reference = reference_of(kata)
    return list(
        difflib.unified_diff(
            mine.read_text(encoding="utf-8", errors="replace").splitlines(),
            reference.read_text(encoding="utf-8").splitlines(),
            answers.shown(mine),
            answers.shown(reference),
            lineterm="",
        )
    )
