"""Makes the files of a new kata: `python -m dojo new 26_eta_and_expires`.

They come from the templates in `dojo/grading/template`. The kata works at once, as an example:
its stub is red and its solution passes. Its proofs fail until somebody has filled them in.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from string import Template
from typing import Any

from dojo.grading import curriculum

TEMPLATES = Path(__file__).with_name("template")
TREES = ("katas", "solutions", "proofs")
SLUG = re.compile(r"([0-9]{2})_([a-z][a-z0-9]*(?:_[a-z0-9]+)*)")

#: What becomes of each template.
PLACES = {
    "kata.toml": "katas/{slug}/kata.toml",
    "README.md": "katas/{slug}/README.md",
    "stub.py": "katas/{slug}/tasks.py",
    "test.py": "katas/{slug}/test_{name}.py",
    "solution.py": "solutions/{slug}/tasks.py",
    "proofs.toml": "proofs/{slug}.toml",
}

NEXT_STEPS = """\
Made {slug}:
{files}
It is an example until you write your own kata over it: look for FILL IN in these files.
    pytest katas/{slug}               the stub is red
    SOLUTIONS=1 pytest katas/{slug}   the solution passes
    pytest tests -k {slug}            the proofs say what is missing
"""


class NewKataError(Exception):
    """The kata cannot be made. The message is one line that says why."""


def add_to(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command `new`."""
    parser = subparsers.add_parser(
        "new",
        help="make the files of a new kata",
        description="Makes stub, tests, README, solution and proofs of a new kata.",
    )
    parser.add_argument("slug", metavar="NN_name", help="such as 26_eta_and_expires")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the kata and say what is next; return the exit code."""
    try:
        made = make(arguments.slug)
    except NewKataError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    files = "".join(f"    {path.relative_to(curriculum.ROOT).as_posix()}\n" for path in made)
    sys.stdout.write(NEXT_STEPS.format(slug=arguments.slug, files=files))
    return 0


def make(slug: str) -> list[Path]:
    """Write all files of the kata `slug`, or none of them. Nothing is overwritten.

    Raises:
        NewKataError: the name is not right or is taken, or a file cannot be written.
    """
    match = SLUG.fullmatch(slug)
    if match is None:
        raise NewKataError(
            f"{slug!r} is not a name for a kata: two digits, then words in small letters, such as "
            "26_eta_and_expires."
        )
    number, name = match.groups()
    check_free(number, name)
    texts = filled(number, name)
    try:
        write(texts)
    except OSError as error:
        raise NewKataError(f"{slug} cannot be made: {error}.") from error
    return list(texts)


def check_free(number: str, name: str) -> None:
    """Make sure that no kata has this number or this name.

    Raises:
        NewKataError: one has; or this is not the repository, but an installed package.
    """
    for tree in TREES:
        folder = curriculum.ROOT / tree
        if not folder.is_dir():
            raise NewKataError(f"A new kata needs the whole repository: {folder} is not there.")
        for path in sorted(folder.iterdir()):
            its_number, _, its_name = path.stem.partition("_")
            if its_number == number:
                raise NewKataError(f"The number {number} is taken: see {tree}/{path.name}.")
            if its_name == name:
                raise NewKataError(f"The name {name} is taken: see {tree}/{path.name}.")


def filled(number: str, name: str) -> dict[Path, str]:
    """The files of the kata and their texts."""
    slug = f"{number}_{name}"
    values = {
        "slug": slug,
        "number": number,
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "part": json.dumps(part_before(slug), ensure_ascii=False),  # a TOML string, too
    }
    texts = {}
    for template, place in PLACES.items():
        text = (TEMPLATES / f"{template}.template").read_text(encoding="utf-8")
        path = curriculum.ROOT / place.format(slug=slug, name=name)
        texts[path] = Template(text).substitute(values)
    return texts


def part_before(slug: str) -> str:
    """The part of the curriculum that the kata before `slug` belongs to."""
    before = [kata.part for kata in curriculum.katas() if kata.slug < slug and kata.part]
    return before[-1] if before else "FILL IN: the part of the curriculum"


def write(texts: dict[Path, str]) -> None:
    """Write these files, and the folders they need; on any error take all of it back.

    Raises:
        OSError: a file cannot be written, or is there already.
    """
    with ExitStack() as undo:
        for path, text in texts.items():
            if not path.parent.exists():
                path.parent.mkdir()
                undo.callback(shutil.rmtree, path.parent, ignore_errors=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                undo.callback(path.unlink, missing_ok=True)
                file.write(text)
        undo.pop_all()
