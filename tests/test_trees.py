"""The trees `katas`, `solutions` and `proofs` mirror each other, name by name."""

from __future__ import annotations

import re

import pytest
from celery.app.defaults import DEFAULTS

from dojo.grading import answers
from dojo.grading.curriculum import ROOT, Kata, katas
from dojo.telling.hints import hints

SLUGS = {kata.slug for kata in katas()}


@pytest.mark.parametrize("kata", katas(), ids=lambda kata: kata.slug)
def test_a_kata_is_complete(kata: Kata) -> None:
    """A kata has its stub, tests, README, reference solution and proofs."""
    expected = [
        kata.stub,
        kata.folder / "kata.toml",
        kata.tests,
        kata.folder / "README.md",
        kata.reference,
        ROOT / "proofs" / f"{kata.slug}.toml",
    ]
    assert [str(path.relative_to(ROOT)) for path in expected if not path.is_file()] == []


@pytest.mark.parametrize("kata", katas(), ids=lambda kata: kata.slug)
def test_the_map_knows_a_kata(kata: Kata) -> None:
    """What the map shows of a kata is there."""
    assert kata.part
    assert kata.title != kata.slug
    assert kata.job


@pytest.mark.parametrize("kata", katas(), ids=lambda kata: kata.slug)
def test_nothing_is_left_to_fill_in(kata: Kata) -> None:
    """What `python -m dojo new` leaves to the author has been written."""
    folders = (kata.folder, ROOT / "solutions" / kata.slug)
    files = [file for folder in folders for file in folder.glob("*.*")]
    files.append(ROOT / "proofs" / f"{kata.slug}.toml")
    assert [file.name for file in files if "FILL IN" in file.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("kata", katas(), ids=lambda kata: kata.slug)
def test_every_todo_has_its_hints(kata: Kata) -> None:
    """There are three hints for each TODO of the stub, and each is the hint of some test."""
    todos = set(answers.todo_lines(kata.stub))
    assert todos
    assert set(hints(kata)) == {(todo, grade) for todo in todos for grade in (1, 2, 3)}
    tests = kata.tests.read_text(encoding="utf-8")
    marked = set(map(int, re.findall(r"mark\.todo\((\d)\)", tests)))
    assert marked <= todos


@pytest.mark.parametrize("kata", katas(), ids=lambda kata: kata.slug)
def test_every_todo_has_its_name(kata: Kata) -> None:
    """The list `todos` of kata.toml names what each TODO of the stub is about."""
    lines = kata.stub.read_text(encoding="utf-8").splitlines()
    gaps = answers.todo_lines(kata.stub)
    assert len(kata.todos) == len(gaps)
    for todo, gap in gaps.items():
        functions = [m[1] for line in lines[:gap] if (m := re.match(r"def (\w+)", line))]
        in_a_function = lines[gap - 1].startswith("    raise ")
        expected = {functions[-1]} if in_a_function else set(DEFAULTS)
        assert kata.todos[todo - 1] in expected


@pytest.mark.parametrize("tree", ["katas", "solutions"])
def test_every_folder_is_a_kata(tree: str) -> None:
    """No folder is left of a kata that is gone, or passed over for its name."""
    folders = {path.name for path in (ROOT / tree).iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == SLUGS


def test_every_proof_has_its_kata() -> None:
    """No file of proofs is left of a kata that is gone."""
    assert {path.stem for path in (ROOT / "proofs").iterdir()} == SLUGS


def test_the_numbers_are_unique() -> None:
    """No two katas have the same number."""
    numbers = [slug[:2] for slug in SLUGS]
    assert sorted(numbers) == sorted(set(numbers))
