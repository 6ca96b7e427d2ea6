"""The trees `katas`, `solutions` and `proofs` mirror each other, name by name."""

from __future__ import annotations

import pytest

from dojo.curriculum import ROOT, Kata, katas

SLUGS = {kata.slug for kata in katas()}


@pytest.mark.parametrize("kata", katas(), ids=lambda kata: kata.slug)
def test_a_kata_is_complete(kata: Kata) -> None:
    """A kata has its stub, tests, README, reference solution and proofs."""
    expected = [
        kata.stub,
        kata.folder / "kata.toml",
        kata.folder / f"test_{kata.slug[3:]}.py",
        kata.folder / "README.md",
        ROOT / "solutions" / kata.slug / "tasks.py",
        ROOT / "proofs" / f"{kata.slug}.toml",
    ]
    assert [str(path.relative_to(ROOT)) for path in expected if not path.is_file()] == []


@pytest.mark.parametrize("kata", katas(), ids=lambda kata: kata.slug)
def test_the_map_knows_a_kata(kata: Kata) -> None:
    """What the map shows of a kata is there."""
    assert kata.part
    assert kata.title != kata.slug
    assert kata.job


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
