"""The katas, as they stand in the folder `katas`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

#: The folder of the whole repository.
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


def katas() -> list[Kata]:
    """All katas, in the order of the curriculum."""
    folders = sorted((ROOT / "katas").iterdir())
    return [Kata(f.name, f) for f in folders if FOLDER_NAME.fullmatch(f.name)]


def kata_of(path: Path) -> Kata | None:
    """The kata that the file at `path` belongs to, or None."""
    folder = path.parent
    if folder.parent != ROOT / "katas" or not FOLDER_NAME.fullmatch(folder.name):
        return None
    return Kata(folder.name, folder)
