"""The map at the end of a run, the failures that are shown with it, hints and diffs."""

from __future__ import annotations

import pytest

from tests.conftest import PASSES, TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

#: Two tests, for TODO 1 and TODO 2; the answers below pass none, one or both.
TWO = '''
    import pytest

    @pytest.mark.todo(1)
    def test_first(kata, eager):
        """The first requirement."""
        assert kata.first() == 1

    @pytest.mark.todo(2)
    def test_second(kata, eager):
        """The second requirement."""
        assert kata.second() == 2
'''
STUB = (
    TASKS
    + """

def first():
    raise NotImplementedError("TODO 1: begin")


def second():
    raise NotImplementedError("TODO 2: go on")
"""
)
HALF = STUB.replace('raise NotImplementedError("TODO 1: begin")', "return 1")
WHOLE = HALF.replace('raise NotImplementedError("TODO 2: go on")', "return 2")
LINE = STUB.splitlines().index('    raise NotImplementedError("TODO 2: go on")') + 1
README = """\
# 02 · Half

<details><summary>TODO 2, first hint</summary>

What [number](https://example.org/two) is it?
</details>
<details><summary>TODO 2, second hint</summary>

It is even.
</details>
<details><summary>TODO 2, third hint</summary>

It is prime, too.
</details>
"""


@pytest.fixture
def shop(workshop: Workshop) -> Workshop:
    """Four katas in two parts: one is done, one half done, one not begun, one needs more."""
    for slug, part, tasks in (
        ("01_done", "1 · Foundations", WHOLE),
        ("02_half", "1 · Foundations", HALF),
        ("03_stub", "2 · Workflows", STUB),
        ("04_new", "2 · Workflows", STUB),
    ):
        workshop.kata(TWO, tasks, slug)
        about = f'part = "{part}"\ntitle = "{slug[3:].title()}"\njob = "count to two"\n'
        needs = 'needs = "celery>=99"\n' if slug == "04_new" else ""
        workshop.write(f"katas/{slug}/kata.toml", about + needs)
        workshop.write(f"katas/{slug}/README.md", README)
        workshop.write(f"solutions/{slug}/tasks.py", WHOLE.replace("return 2", "return 1 + 1"))
    return workshop


def the_map(result: pytest.RunResult) -> list[str]:
    """The lines of the map, without pytest's last one."""
    start = next(n for n, line in enumerate(result.outlines) if "- katas -" in line)
    return [line for line in result.outlines[start + 1 :] if not line.startswith(("=", "!"))]


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
    ("options", "rows", "code"),
    [
        (["-x"], ["   03_stub  ░░░░░░░░░░   0 of  2  2 did not run"], 1),
        (["katas/01_done"], [" ✓ 01_done  ██████████   2 of  2  done"], 0),
        (["-k", "first"], [" ✓ 01_done", "   01_done  █████░░░░░   1 of  2  1 did not run"], 1),
        (
            ["katas/01_done/test_done.py::test_first"],
            ["   01_done  ██████████   1 of  1  passed, but not all of it ran"],
            0,
        ),
        (
            ["katas/02_half/test_half.py::test_second"],
            [" → 02_half  ░░░░░░░░░░   0 of  1  TODO 2"],
            1,
        ),
    ],
    ids=["-x", "one", "-k", "id passed", "id failed"],
)
def test_a_part_of_the_suite(
    shop: Workshop, options: list[str], rows: list[str], code: int
) -> None:
    """Whatever is chosen to run, a kata counts as done only if all of it ran and passed."""
    result = shop.run("-p", "no:randomly", *options)
    assert result.ret == code
    assert rows[-1] in the_map(result)
    done = [line for line in the_map(result) if line.endswith("  done")]
    assert all("2 of  2" in line for line in done)


def test_last_failed(shop: Workshop) -> None:
    """With --lf the tests that passed before do not make a kata done, and nothing crashes."""
    shop.run()
    result = shop.run("--lf")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert " → 02_half  ░░░░░░░░░░   0 of  1  TODO 2" in the_map(result)
    shop.write("katas/02_half/tasks.py", WHOLE)
    result = shop.run("--lf", "katas/02_half")
    assert "passed, but not all of it ran" in result.stdout.str()


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
    """A run of the reference solutions ends with the bars."""
    monkeypatch.setenv("SOLUTIONS", "1")
    result = shop.run()
    assert result.ret == pytest.ExitCode.OK
    assert the_map(result)[-1] == "   04_new   ░░░░░░░░░░   0 of  2  needs Celery ≥ 99"


def test_the_same_cause_is_told_once(shop: Workshop) -> None:
    """A file that cannot be used fails every test, and is told once."""
    shop.write("katas/02_half/tasks.py", "x = = 1")
    result = shop.run()
    assert result.stdout.str().count("Python cannot read this file") == 1
    result.stdout.fnmatch_lines([" → 02_half * 0 of  2  the file cannot be used: see above"])
    result.stdout.fnmatch_lines(["  edit  katas/02_half/tasks.py"])
    result.stdout.no_fnmatch_line("  hint *")


# -- hints ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--hint"], "TODO 2, first hint||What number (https://example.org/two) is it?||More: "),
        (["--hint", "katas/02_half"], "TODO 2, first hint||What number"),
        (
            ["katas/02_half", "--hint=2"],
            "TODO 2, second hint||It is even.||More: pytest katas/02_h",
        ),
        (["--hint", "3", "katas/02_half"], "TODO 2, third hint||It is prime, too.|-----"),
        (["katas/01_done", "--hint"], "No test fails"),
        (["-n", "2", "--hint"], "TODO 2, first hint||What number"),
    ],
    ids=str,
)
def test_a_hint(shop: Workshop, options: list[str], says: str) -> None:
    """The hint is for the first TODO that fails, of the grade that was asked for."""
    result = shop.run(*options)
    start = next(n for n, line in enumerate(result.outlines) if "- hint -" in line)
    assert "|".join(result.outlines[start + 1 :]).startswith(says)
    assert result.ret == (0 if "01" in options[0] else 1)


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


def test_no_diff_too_early(shop: Workshop) -> None:
    """The reference of a kata that is not done is shown only to whoever insists."""
    result = shop.run("--diff", "katas/02_half")
    result.stdout.no_fnmatch_line("+    return*")
    result.stdout.fnmatch_lines(["same: pytest katas/02_half --diff=anyway"])
    shop.run("katas/02_half", "--diff=anyway").stdout.fnmatch_lines(["+    return 1 + 1"])


def test_nothing_to_compare(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference is not compared with itself."""
    same = WHOLE.replace("return 2", "return 1 + 1")
    shop.write("katas/01_done/tasks.py", same)
    shop.run("katas/01_done", "--diff").stdout.fnmatch_lines(["Your file is the same as *"])
    monkeypatch.setenv("SOLUTIONS", "1")
    shop.run("katas/01_done", "--diff").stdout.fnmatch_lines(["* nothing to compare."])


def test_other_tests_are_left_alone(workshop: Workshop) -> None:
    """A run without a kata has no map, and pytest shows its failures."""
    workshop.write("other/test_it.py", "def test_it(): assert 1 == 2")
    workshop.kata(PASSES)
    result = workshop.run("other")
    result.assert_outcomes(failed=1)
    assert "katas" not in "".join(line for line in result.outlines if line.startswith("-"))
    result.stdout.fnmatch_lines(["E   assert 1 == 2"])
