"""The katas, as they stand in the folder `katas`."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER_NAME = re.compile(r"\d\d_[a-z0-9_]+")


@dataclass(frozen=True)
class Kata:
    """One exercise: `slug` is the name of its folder, such as `03_chord`."""

    slug: str
    folder: Path

    @property
    def stub(self) -> Path:
        """The one file that the learner edits."""
        return self.folder / "tasks.py"


@functools.lru_cache
def katas(root: Path = ROOT) -> tuple[Kata, ...]:
    """All katas below `root`, in the order of the curriculum."""
    folders = sorted((root / "katas").glob("[0-9][0-9]_*"))
    return tuple(Kata(f.name, f) for f in folders if FOLDER_NAME.fullmatch(f.name))


def kata_of(path: Path, root: Path = ROOT) -> Kata | None:
    """The kata that the file at `path` belongs to, or None."""
    return next((kata for kata in katas(root) if kata.folder in path.parents), None)
