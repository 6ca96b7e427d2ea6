"""The map at the end of a run, and the failures that are shown with it."""

from __future__ import annotations

import pytest

from tests.shop import LINE, TWO, WHOLE, the_map
from tests.workshop import PASSES, Workshop

pytestmark = pytest.mark.timeout(300)

DONE = "katas/01_done/test_done.py"
HALF_DONE = "katas/02_half/test_half.py"
MAP = f"""\
1 · Foundations: 1 of 2
 ✓ 01_done  ██████████   2 of  2  done
 → 02_half  █████░░░░░   1 of  2  TODO 2
2 · Workflows: 0 of 2
   03_stub  ░░░░░░░░░░   0 of  2  TODO 1, TODO 2
   04_new   ░░░░░░░░░░   0 of  2  needs Celery ≥ 99

Next: 02 · Half: count to two
  read  katas/02_half/README.md
  edit  katas/02_half/tasks.py, line {LINE}: TODO 2
  run   pytest katas/02_half
  hint  pytest katas/02_half --hint""".splitlines()


@pytest.mark.parametrize("options", [(), ("-n", "2"), ("--color=no", "-q")], ids=str)
def test_the_map(shop: Workshop, options: tuple[str, ...]) -> None:
    """It has a bar for each kata, and says what comes next. Only that one has its failures."""
    result = shop.run(*options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert the_map(result)[: len(MAP)] == MAP
    assert all(len(line) <= 79 for line in MAP)
    output = result.stdout.str()
    assert output.count("The second requirement.") == 1
    assert "The first requirement." not in output
    assert "[gw" not in output
    result.stdout.fnmatch_lines(["*1 failed, 3 passed, 2 skipped, 2 to do in *"])


def test_plain_letters(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal that knows no Unicode the map is drawn in plain letters."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    result = shop.run()
    assert " * 01_done  ##########   2 of  2  done" in the_map(result)
    assert " > 02_half  #####.....   1 of  2  TODO 2" in the_map(result)
    assert "needs Celery >= 99" in result.stdout.str()
    assert result.stdout.str().isascii()


@pytest.mark.parametrize("coloured", [True, False])
def test_colour(shop: Workshop, monkeypatch: pytest.MonkeyPatch, coloured: bool) -> None:
    """There is colour where pytest has colour. NO_COLOR is obeyed."""
    monkeypatch.delenv("PY_COLORS")
    monkeypatch.setenv("FORCE_COLOR", "1")
    if not coloured:
        monkeypatch.setenv("NO_COLOR", "1")
    assert ("\x1b[32m ✓ 01_done" in shop.run().stdout.str()) is coloured


@pytest.mark.parametrize(
    ("options", "row", "code"),
    [
        (["-x"], "   03_stub  ░░░░░░░░░░   0 of  2  2 did not run", 1),
        (["katas/01_done"], " ✓ 01_done  ██████████   2 of  2  done", 0),
        (["-k", "first"], "   01_done  █████░░░░░   1 of  2  1 did not run", 1),
        (["-k", "first", "-n", "2"], "   01_done  █████░░░░░   1 of  2  1 did not run", 1),
        ([f"{DONE}::test_first"], "   01_done  █████░░░░░   1 of  2  1 did not run", 0),
        (
            [f"{HALF_DONE}::test_second"],
            " → 02_half  ░░░░░░░░░░   0 of  2  TODO 2, 1 did not run",
            1,
        ),
        (
            [f"{DONE}::test_first", f"{DONE}::test_second"],
            " ✓ 01_done  ██████████   2 of  2  done",
            0,
        ),
    ],
    ids=["-x", "one", "-k", "-k -n", "id passed", "id failed", "both ids"],
)
def test_a_part_of_the_suite(shop: Workshop, options: list[str], row: str, code: int) -> None:
    """Whatever is chosen to run, a kata counts as done only if all of it ran and passed."""
    result = shop.run("-p", "no:randomly", *options)
    assert result.ret == code
    assert row in the_map(result)
    done = [line for line in the_map(result) if line.endswith("  done")]
    assert all("2 of  2" in line for line in done)


def test_last_failed(shop: Workshop) -> None:
    """With --lf the tests that passed before do not make a kata done, and nothing crashes."""
    shop.run()
    result = shop.run("--lf")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert " → 02_half  ░░░░░░░░░░   0 of  2  TODO 2, 1 did not run" in the_map(result)
    shop.write("katas/02_half/tasks.py", WHOLE)
    result = shop.run("--lf", "katas/02_half")
    assert "   02_half  █████░░░░░   1 of  2  1 did not run" in the_map(result)


@pytest.mark.parametrize(
    "path",
    ["katas/02_half/tasks.py", "katas/02_half/README.md", "katas/02", "02", "katas/02_half"],
)
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=str)
def test_the_kata_is_found(shop: Workshop, path: str, options: tuple[str, ...]) -> None:
    """The file that is edited, or the beginning of a name, stands for the kata."""
    result = shop.run(path, *options)
    rows = [line for line in the_map(result) if " of " in line]
    assert rows == [" → 02_half  █████░░░░░   1 of  2  TODO 2"]


@pytest.mark.parametrize("path", ["katas/0", "katas/99", "katas/02_half/other.py", "03x"])
def test_no_kata_is_found(shop: Workshop, path: str) -> None:
    """A path that stands for no kata, or for several, is left to pytest."""
    result = shop.run(path)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: file or directory not found: *"])


def test_one_kata_is_done(shop: Workshop) -> None:
    """After a kata that is done comes the reference, and the next one."""
    result = shop.run("katas/01_done")
    assert the_map(result)[-3:-1] + the_map(result)[-1:] == [
        "",
        "Compare with the reference: pytest katas/01_done --diff",
        "Go on with: pytest katas/02_half",
    ]


def test_uv(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever started pytest with `uv run` reads commands with `uv run`."""
    monkeypatch.setenv("UV", "uv")
    shop.run("katas/02_half").stdout.fnmatch_lines(["  run   uv run pytest katas/02_half"])


def test_all_is_done(workshop: Workshop) -> None:
    """When the last kata is done, the map says so, once."""
    workshop.kata(TWO, WHOLE)
    workshop.other_kata()
    for options in ((), ("-n", "2")):
        result = workshop.run(*options)
        assert result.ret == pytest.ExitCode.OK
        assert result.stdout.str().count("All 2 katas are done.") == 1
        assert "Next:" not in result.stdout.str()


def test_the_reference_needs_no_guide(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of the reference solutions ends with the bars, and says whose answers it graded."""
    monkeypatch.setenv("SOLUTIONS", "1")
    result = shop.run()
    assert result.ret == pytest.ExitCode.OK
    assert the_map(result)[-3:] == [
        "   04_new   ░░░░░░░░░░   0 of  2  needs Celery ≥ 99",
        "",
        "This run grades the reference solutions. It does not look at your files.",
    ]


def test_the_same_cause_is_told_once(shop: Workshop) -> None:
    """A file that cannot be used fails every test, and is told once."""
    shop.write("katas/02_half/tasks.py", "x = = 1")
    result = shop.run()
    assert result.stdout.str().count("Python cannot read this file") == 1
    result.stdout.fnmatch_lines(
        [
            "____* katas/02_half/tasks.py ____*",
            "    katas/02_half/tasks.py, line 1: Python cannot read this file: *",
            " → 02_half * 0 of  2  the file has an error: see above",
            "=* 1 failed, 2 passed, 2 skipped, 3 to do in *",
        ]
    )
    assert "requirement" not in result.stdout.str()
    result.stdout.fnmatch_lines(["  edit  katas/02_half/tasks.py"])
    result.stdout.no_fnmatch_line("  hint *")


def test_other_tests_are_left_alone(workshop: Workshop) -> None:
    """A run without a kata has no map, and pytest shows its failures."""
    workshop.write("other/test_it.py", "def test_it(): assert 1 == 2")
    workshop.kata(PASSES)
    result = workshop.run("other")
    result.assert_outcomes(failed=1)
    assert "katas" not in "".join(line for line in result.outlines if line.startswith("-"))
    result.stdout.fnmatch_lines(["E   assert 1 == 2"])
