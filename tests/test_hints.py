"""What is printed with the map if an option asks for it: hints and diffs."""

from __future__ import annotations

import pytest

from tests.shop import WHOLE, the_map
from tests.workshop import Workshop

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--hint"], "TODO 2, first hint||What number (https://example.org/two) is it?|-----"),
        (["--hint", "katas/02_half"], "TODO 2, first hint||What number"),
        (["katas/02_half", "--hint=2"], "TODO 2, second hint||It is even.|-----"),
        (["--hint", "3", "katas/02_half"], "TODO 2, third hint||It is prime, too.|-----"),
        (["katas/01_done", "--hint"], "No test fails"),
        (["-n", "2", "--hint"], "TODO 2, first hint||What number"),
    ],
    ids=str,
)
def test_a_hint(shop: Workshop, options: list[str], says: str) -> None:
    """The hint is for the first TODO that fails, of the grade that was asked for."""
    result = shop.run(*options)
    start = next(n for n, line in enumerate(result.outlines) if "- hint" in line)
    assert "|".join(result.outlines[start + 1 :]).startswith(says)
    assert result.ret == (0 if "01" in options[0] else 1)
    assert "requirement" not in result.stdout.str()  # whoever asks has read it


def test_the_next_hint(shop: Workshop) -> None:
    """The map leads from one grade to the next, and from the last one nowhere."""
    for option, following in (("--hint", "2"), ("--hint=2", "3"), ("--hint=3", None)):
        result = shop.run("katas/02_half", option)
        result.stdout.fnmatch_lines(["---* hint for 02_half ---*"])
        rows = [line for line in the_map(result) if "--hint" in line]
        assert rows == ([f"  hint  pytest katas/02_half --hint={following}"] if following else [])


def test_a_hint_for_a_broken_file(shop: Workshop) -> None:
    """A file that cannot be used gets no hint: what is wrong with it was said."""
    shop.write("katas/02_half/tasks.py", "x = = 1")
    shop.run("--hint").stdout.fnmatch_lines(["First mend what is said above.*"])


@pytest.mark.parametrize("option", ["--hint=4", "--hint=first", "--diff=now"])
def test_a_wrong_value(shop: Workshop, option: str) -> None:
    """A value that the option does not know is a usage error."""
    result = shop.run(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "is none of" in result.stderr.str()


# -- diff -----------------------------------------------------------------------------------


def test_a_diff(shop: Workshop) -> None:
    """The diff goes from the learner's file to the reference."""
    result = shop.run("katas/01_done", "--diff")
    result.stdout.fnmatch_lines(
        [
            "--- katas/01_done/tasks.py",
            "+++ solutions/01_done/tasks.py",
            "-    return 2",
            "+    return 1 + 1",
        ]
    )
    result.stdout.no_fnmatch_line("Compare with *")


def test_no_diff_too_early(shop: Workshop) -> None:
    """The reference of a kata that is not done is shown only to whoever insists."""
    result = shop.run("--diff", "katas/02_half")
    result.stdout.no_fnmatch_line("+    return*")
    result.stdout.fnmatch_lines(["same: pytest katas/02_half --diff=anyway"])
    shop.run("katas/02_half", "--diff=anyway").stdout.fnmatch_lines(["+    return 1 + 1"])


def test_no_reference(shop: Workshop) -> None:
    """A reference that is missing is told in a sentence."""
    (shop.folder / "solutions/01_done/tasks.py").unlink()
    result = shop.run("katas/01_done", "--diff")
    result.stdout.fnmatch_lines(
        ["There is no reference: solutions/01_done/tasks.py is missing.", "*2 passed*"]
    )


def test_nothing_to_compare(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference is not compared with itself."""
    same = WHOLE.replace("return 2", "return 1 + 1")
    shop.write("katas/01_done/tasks.py", same)
    shop.run("katas/01_done", "--diff").stdout.fnmatch_lines(["Your file is the same as *"])
    monkeypatch.setenv("SOLUTIONS", "1")
    shop.run("katas/01_done", "--diff").stdout.fnmatch_lines(["* nothing to compare."])
