"""The dojo is a house of rooms. Imports run one way, and its README says so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from dojo.grading.curriculum import ROOT

DOJO = ROOT / "dojo"
README = DOJO / "README.md"
#: The rooms from the top to the bottom. A room knows itself and the rooms below it.
FLOORS = ("", "fixtures", "telling", "running", "safety", "evidence", "grading")


def room_of(module: str) -> str:
    """The room of a module by its dotted name; "" is the entrance."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else ""


def imports(source: str) -> set[str]:
    """The modules of the dojo that a source imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("dojo.")}


def climbs(module: str, source: str) -> list[str]:
    """The imports of a module that lead to a room above its own."""
    own = FLOORS.index(room_of(module))
    return sorted(name for name in imports(source) if FLOORS.index(room_of(name)) < own)


def modules() -> dict[str, Path]:
    """The modules of the dojo by their dotted names."""
    files = sorted(DOJO.rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}


@pytest.mark.parametrize("module", modules())
def test_imports_run_one_way(module: str) -> None:
    """A room imports from itself and from the rooms below it, and from no other."""
    assert climbs(module, modules()[module].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "from dojo.telling import explain",
        "def later():\n    from dojo.running.servers import check",
        "import dojo.plugin",
        "from dojo import plugin",
    ],
)
def test_an_import_that_climbs_is_found(line: str) -> None:
    """Each way to write an import is seen, also inside a function."""
    assert climbs("dojo.evidence.timeline", line)


def test_every_room_is_a_floor() -> None:
    """No folder of the dojo is left out of the order."""
    folders = {path.name for path in DOJO.iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders == set(FLOORS) - {""}


def test_the_readme_draws_the_floors() -> None:
    """The map has the rooms in the order in which they know each other."""
    rows = re.findall(r"^\| `(\w+)/` \|", README.read_text(encoding="utf-8"), re.M)
    assert tuple(rows) == FLOORS[1:]


def test_the_readme_names_every_module() -> None:
    """Each module stands in the row of its room, and each name there is a module."""
    rows = dict(re.findall(r"^\| `(\w+)/` \|(.*)$", README.read_text(encoding="utf-8"), re.M))
    for room, row in rows.items():
        there = {path.stem for path in (DOJO / room).iterdir() if path.name[0] != "_"}
        assert set(re.findall(r"`(\w+)`", row)) == there, room


@pytest.mark.parametrize("module", modules())
def test_a_module_can_be_read_in_one_sitting(module: str) -> None:
    """No file has more than 300 lines, and each begins by saying what it is."""
    source = modules()[module].read_text(encoding="utf-8")
    assert source.count("\n") <= 300
    assert ast.get_docstring(ast.parse(source))
