"""The katas, as they stand in the folder `katas`."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: The folder of the whole repository.
ROOT = Path(__file__).resolve().parents[2]
FOLDER_NAME = re.compile(r"\d\d_[a-z0-9_]+")
IN_WORDS = {">=": "≥ ", "<=": "≤ ", "==": "", "~=": "≈ ", "!=": "not "}


@dataclass(frozen=True)
class Kata:
    """One exercise: `slug` is the name of its folder, such as `03_chord`.

    What else is known of it stands in its `kata.toml`:

        part    the part of the curriculum, such as "1 · Foundations"
        title   the idea, such as "Chord"
        job     what the learner does, in a few words
        todos   the name of what each TODO is about, in order: a function or a setting
        needs   the versions that it needs, such as "celery>=5.5"; left out if any will do
    """

    slug: str
    folder: Path

    @property
    def stub(self) -> Path:
        """The one file that the learner edits."""
        return self.folder / "tasks.py"

    @property
    def tests(self) -> Path:
        """The file of the tests."""
        return self.folder / f"test_{self.slug[3:]}.py"

    @property
    def reference(self) -> Path:
        """The reference solution."""
        return ROOT / "solutions" / self.slug / "tasks.py"

    @cached_property
    def _about(self) -> dict[str, Any]:
        file = self.folder / "kata.toml"
        return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    @property
    def part(self) -> str:
        """The part of the curriculum that it belongs to."""
        return str(self._about.get("part", ""))

    @property
    def title(self) -> str:
        """The idea, in a word or two."""
        return str(self._about.get("title", self.slug))

    @property
    def job(self) -> str:
        """What the learner does, in a few words."""
        return str(self._about.get("job", ""))

    @property
    def todos(self) -> list[str]:
        """What each TODO is about, in order: the name of a function or a setting."""
        return list(self._about.get("todos", []))

    @cached_property
    def lacks(self) -> str | None:
        """The version that it needs and this environment does not have: "Celery ≥ 5.5"."""
        needs = self._about.get("needs")
        if not needs:
            return None
        from packaging.requirements import Requirement  # costs 30 ms, and few katas need it

        requirement = Requirement(needs)
        installed = importlib.metadata.version(requirement.name)
        if requirement.specifier.contains(installed, prereleases=True):
            return None
        bounds = (
            f"{IN_WORDS.get(s.operator, s.operator + ' ')}{s.version}"
            for s in requirement.specifier
        )
        return f"{requirement.name.capitalize()} {', '.join(sorted(bounds))}"


def katas() -> list[Kata]:
    """All katas, in the order of the curriculum."""
    folders = sorted((ROOT / "katas").iterdir())
    return [Kata(f.name, f) for f in folders if FOLDER_NAME.fullmatch(f.name)]


def kata(slug: str) -> Kata:
    """The kata in the folder `slug`, whether it is there or not."""
    return Kata(slug, ROOT / "katas" / slug)


def kata_of(path: Path) -> Kata | None:
    """The kata that the file at `path` belongs to, or None."""
    folder = path.resolve().parent  # there may be a symbolic link on the way
    if folder.parent != ROOT / "katas" or not FOLDER_NAME.fullmatch(folder.name):
        return None
    return Kata(folder.name, folder)
