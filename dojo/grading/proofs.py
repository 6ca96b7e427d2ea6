"""The proofs: wrong and right answers to a kata, written as edits of its reference.

A proof file `proofs/NN_name.toml` holds tables `[[wrong]]` and `[[right]]`:

    name        a name for the answer, in snake case
    why         one sentence: what is wrong about it (only for wrong ones)
    find        a text that occurs once in the reference …
    replace     … and what stands there instead
    edits       instead of the two: a list of tables with `find` and `replace`
    file        instead of them: the whole file
    caught_by   the tests that must fail (only for wrong ones)
    says        a phrase that each of these tests must tell the learner (likewise)
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dojo.grading.curriculum import ROOT, Kata

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Answer:
    """One answer to a kata: `kind` is "stub", "solution", "right" or "wrong"."""

    kata: Kata
    kind: str
    name: str
    source: str
    why: str = ""
    caught_by: tuple[str, ...] = ()
    says: str = ""

    @property
    def id(self) -> str:
        """A name for the answer that is unique among all katas."""
        return f"{self.kata.slug}-{self.name}"


class ProofError(Exception):
    """A proof file is not right."""


def proof_file(kata: Kata) -> Path:
    """Where the proofs of `kata` stand."""
    return ROOT / "proofs" / f"{kata.slug}.toml"


def answers_to(kata: Kata) -> list[Answer]:
    """The stub, the reference, and every right and wrong answer of the proof file.

    Raises:
        ProofError: an edit does not fit the reference, or a table lacks a key.
    """
    reference = kata.reference.read_text(encoding="utf-8")
    file = proof_file(kata)
    tables = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    answers = [
        Answer(kata, "stub", "stub", kata.stub.read_text(encoding="utf-8")),
        Answer(kata, "solution", "solution", reference),
    ]
    for kind in ("right", "wrong"):
        answers += [_answer(kata, kind, table, reference) for table in tables.get(kind, [])]
    return answers


def _answer(kata: Kata, kind: str, table: dict[str, Any], reference: str) -> Answer:
    where = f"{proof_file(kata).name}, {table.get('name', 'an answer without a name')}"
    expected = {"name", "why", "caught_by", "says"} if kind == "wrong" else {"name"}
    if missing := expected - set(table):
        raise ProofError(f"{where}: {', '.join(sorted(missing))} is missing.")
    return Answer(
        kata,
        kind,
        table["name"],
        table["file"] if "file" in table else _edited(reference, table, where),
        table.get("why", ""),
        tuple(table.get("caught_by", ())),
        table.get("says", ""),
    )


def _edited(source: str, table: dict[str, Any], where: str) -> str:
    for edit in table.get("edits", [table]):
        count = source.count(edit["find"])
        if count != 1:
            raise ProofError(f"{where}: {edit['find']!r} occurs {count} times, not once.")
        source = source.replace(edit["find"], edit["replace"])
    return source
