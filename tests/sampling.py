"""Which proofs a gate runs: all of the katas that a change touches, a share of the others.

There are some eighty proofs a kata, and each takes half a second or more. A change of one kata
cannot break the proofs of another one. A change of the dojo can, so that a share of all of them
always runs. It is chosen by the commit: another commit runs another share.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from hashlib import sha256

import pytest

from dojo.grading.curriculum import ROOT
from dojo.grading.proofs import Answer

SHARE = 4  # one proof of so many


def git(*arguments: str) -> str:
    """What a git command prints.

    Raises:
        subprocess.CalledProcessError: there is no such commit, or no repository.
    """
    command = ("git", "-C", str(ROOT), *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def touched_since(commit: str) -> set[str]:
    """The names of the katas whose files differ from those of a commit, committed or not."""
    paths = git("diff", "--name-only", commit, "--", "katas", "solutions", "proofs").splitlines()
    return {path.split("/")[1].removesuffix(".toml") for path in paths}


def in_share(answer: Answer, seed: str) -> bool:
    """Whether the answer belongs to the share that `seed` chooses."""
    digest = sha256(f"{seed} {answer.id}".encode()).digest()
    return digest[0] % SHARE == 0


def is_run(answer: Answer, touched: Collection[str], seed: str) -> bool:
    """Whether a gate runs this answer. It always runs stubs and references."""
    always = answer.kind in ("stub", "solution") or answer.kata.slug in touched
    return always or in_share(answer, seed)


def sampled(items: list[pytest.Item], since: str) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests that a gate runs after changes since a commit, and those that it leaves out.

    Raises:
        subprocess.CalledProcessError: see `git`.
    """
    touched, seed = touched_since(since), git("rev-parse", "HEAD")
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        call = getattr(item, "callspec", None)
        answer = call.params.get("answer") if call else None
        run = answer is None or is_run(answer, touched, seed)
        (kept if run else left_out).append(item)
    return kept, left_out
