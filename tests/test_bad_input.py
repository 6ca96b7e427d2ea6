"""Whatever stands in the file, the learner reads one clear paragraph, and no other kata suffers."""

from __future__ import annotations

import re

import pytest

from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

QUOTES = '''
    def test_first(kata, eager):
        """The first requirement."""
        assert kata.quote(2) == 4

    def test_second(kata, eager):
        """The second requirement."""
        assert kata.quote(3) == 6
'''
FILE = "katas/99_sample/tasks.py"
LINES = TASKS.count("\n")  # what stands in line n of what is added, stands in line LINES + n
NO_APP = """The tests and the worker look for a line such as
        app = Celery("sample")
    Put the line back, above the tasks."""


def told(workshop: Workshop, tasks: str | bytes) -> str:
    """What a learner with this file reads: the paragraph, which must come exactly once."""
    workshop.kata(QUOTES, tasks)
    workshop.other_kata()
    result = workshop.run("-p", "no:randomly")
    output = result.stdout.str()
    outcomes = result.parseoutcomes()
    assert outcomes.pop("passed") == 1
    assert sum(outcomes.values()) == 2
    assert re.search(r"98_other +█+ +1 of +1  done$", output, re.M)
    assert "dojo/" not in output
    assert "site-packages" not in output
    assert "Traceback" not in output + result.stderr.str()

    failures = re.split(r"^_{3,} .* _{3,}$|^-{3,} katas -{3,}$", output, flags=re.M)[1:-1]
    (failure,) = (text.strip() for text in failures)
    return failure


@pytest.mark.parametrize(
    ("added", "line", "says"),
    [
        ("def quote(x)\n    return 2 * x\n", 1, "Python cannot read this file: expected ':'."),
        ("print(unknown)\n", 1, "importing this file fails. NameError: name 'unknown' is not"),
        ("from .sizes import A4\n", 1, "importing this file fails. ImportError: attempted rel"),
        ("import sys\nsys.exit(0)\n", 2, "importing this file fails. It calls sys.exit()."),
        ("def f():\n    f()\n\nf()\n", 2, "importing this file fails. RecursionError: maximum"),
        ("app = 'celery'\n", 1, f"`app` is str, not a Celery app. {NO_APP}"),
    ],
    ids=[
        "syntax_error",
        "name_error",
        "relative_import",
        "sys_exit",
        "endless_recursion",
        "app_is_no_app",
    ],
)
def test_a_bad_line_is_named(workshop: Workshop, added: str, line: int, says: str) -> None:
    """The paragraph begins with the file and the line, and says what is wrong there."""
    assert told(workshop, TASKS + added).startswith(f"{FILE}, line {LINES + line}: {says}")


def test_the_bad_place_is_shown(workshop: Workshop) -> None:
    """Beneath a syntax error stands the line, with a mark under the place."""
    shown = told(workshop, TASKS + "x = = 2\n").splitlines()
    assert [line.removeprefix("    ") for line in shown[1:]] == ["    x = = 2", "        ^"]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"name = 'caf\xe9'\n", "Python cannot read this file: it is not UTF-8. Save it as UTF-8."),
        (b"# caf\xe9\n", "Python cannot read this file: it is not UTF-8. Save it as UTF-8."),
        ("# Notepad\n".encode("utf-16"), "it is not UTF-8. Save it as UTF-8."),
        (b"# coding: nonsense\n", "Python cannot read this file: unknown encoding"),
    ],
    ids=["not_utf_8", "in_a_comment", "utf_16", "unknown_encoding"],
)
def test_an_undecodable_file(workshop: Workshop, source: bytes, says: str) -> None:
    """A file in a wrong encoding is told with its first line, and without its bytes."""
    paragraph = told(workshop, source)
    assert paragraph.startswith(f"{FILE}, line 1: ")
    assert says in paragraph


@pytest.mark.parametrize(
    "source", ["", "def quote(x):\n    return 2 * x\n"], ids=["empty", "no_app"]
)
def test_a_file_without_an_app(workshop: Workshop, source: str) -> None:
    """A file without an app, such as an empty one, is told with the line that it lacks."""
    assert told(workshop, source) == f"{FILE}: there is no `app`. {NO_APP}"


def test_a_misspelt_name(workshop: Workshop) -> None:
    """A name that is missing is told together with the one that looks like it."""
    tasks = TASKS + "def qoute(x):\n    return 2 * x\n"
    assert told(workshop, tasks) == (
        f"{FILE} does not define `quote`. The tests need that name: keep it.\n"
        f"        line {LINES + 1}: did you mean `quote` where it says `qoute`?"
    )


def test_a_missing_name(workshop: Workshop) -> None:
    """A name that is missing is told without a guess if nothing looks like it."""
    assert told(workshop, TASKS) == (
        f"{FILE} does not define `quote`. The tests need that name: keep it."
    )


@pytest.mark.parametrize(
    ("helper", "says"),
    [
        ("A4 = unknown\n", "importing this file fails. NameError"),
        ("A4 = = 1\n", "Python cannot read this file: invalid syntax"),
    ],
    ids=["name_error", "syntax_error"],
)
def test_an_error_beside_the_answer(workshop: Workshop, helper: str, says: str) -> None:
    """An error in a module of the learner's own is told with the file where it stands."""
    workshop.write("katas/99_sample/sizes.py", "# the sizes\n" + helper)
    paragraph = told(workshop, TASKS + "from sizes import A4\n")
    assert paragraph.startswith(f"katas/99_sample/sizes.py, line 2: {says}")
