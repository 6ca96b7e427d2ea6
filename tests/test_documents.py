"""The documents say what is true, and the two READMEs say the same."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dojo.grading import answers
from dojo.grading.curriculum import ROOT, katas

README = ROOT / "README.md"
CHINESE = ROOT / "README.zh-CN.md"
DOCUMENTS = [
    README,
    CHINESE,
    ROOT / "CONTRIBUTING.md",
    *(kata.folder / "README.md" for kata in katas()),
]
IN_THE_COMMAND = ("uv ", "uvx ", "SOLUTIONS=", "KATA", "docker ", "git ", "pytest ", "WATCHFILES")


def shape(document: Path) -> list[str]:
    """The document without its prose: headings, commands, lists, tables and questions."""
    found = []
    for line in document.read_text(encoding="utf-8").splitlines():
        if mark := re.match(r"#+ |- |\d\. |\*\*", line):
            found.append(mark[0])
        elif line.startswith("    ") and not line.startswith(("    katas/", "    solutions/")):
            found.append(line)  # the lines that are left out tell in words what a file is
        elif line.startswith("|"):
            found.append(f"row of {line.count('|')}")
    return found


def codes(document: Path) -> set[str]:
    """Every `code` of a document outside of its blocks, and every link."""
    text = document.read_text(encoding="utf-8")
    prose = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    return {*re.findall(r"`([^`]+)`", prose), *re.findall(r"]\(([^)]+)\)", prose)}


def test_the_chinese_readme_is_in_step() -> None:
    """It has the same headings, commands, lists, tables and questions, in the same order."""
    assert shape(README) == shape(CHINESE)


def test_the_chinese_readme_names_the_same_things() -> None:
    """It names the same commands, options, files and addresses in its text."""
    assert codes(README) ^ codes(CHINESE) == {"README.zh-CN.md"}


def commands() -> list[str]:
    """Every command of the README."""
    text = README.read_text(encoding="utf-8")
    blocks = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    return sorted({c for c in (*blocks, *codes(README)) if c.startswith(IN_THE_COMMAND)})


@pytest.mark.parametrize("command", commands())
def test_a_command_names_what_is_there(command: str) -> None:
    """Each folder of a kata, and each path of the project, that a command names is there."""
    for word in shlex.split(command):
        for path in re.findall(r"(?:katas|solutions|tests|dojo|proofs)/[\w./]+", word):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Each link to a file of the project leads to a file."""
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_kata_is_in_the_table() -> None:
    """The table of the README has a row for each kata, in order."""
    rows = re.findall(r"^\| \[(\w+)]\(katas/\w+/README\.md\)", README.read_text("utf-8"), re.M)
    assert rows == [kata.slug for kata in katas()]


def test_the_map_in_the_readme_counts_right() -> None:
    """The example has as many tests for each kata as there are."""
    rows = re.findall(r"^ +.? (\d\d_\w+) +[█░]+ +\d+ of +(\d+)", README.read_text("utf-8"), re.M)
    folders = [str(ROOT / "katas" / slug) for slug, _ in rows]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", *folders]
    collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    found = dict(re.findall(r"^katas/(\d\d_\w+)/\S+: (\d+)$", collected, re.M))
    assert rows
    assert dict(rows) == found


def test_the_map_in_the_readme_is_a_real_one() -> None:
    """The example has the line and the words of the stub that it speaks of."""
    text = README.read_text(encoding="utf-8")
    (line,) = re.findall(r"edit  katas/03_chord/tasks\.py, line (\d+), `estimate`: TODO 2", text)
    assert int(line) == answers.todo_lines(ROOT / "katas/03_chord/tasks.py")[2]
    kata = next(kata for kata in katas() if kata.slug == "03_chord")
    assert f"Next: 03 · {kata.title}: {kata.job}" in text
