"""A run shows one thing at a time, and fits on a screen."""

from __future__ import annotations

import runpy

import pytest

from dojo.grading.curriculum import ROOT
from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

MANY = '''
    import pytest

    @pytest.mark.todo(1)
    @pytest.mark.parametrize("number", range(12))
    def test_first(kata, eager, number):
        """The first requirement."""
        assert kata.add.delay(number, 1).get() == 0, f"The sum with {number} is wrong."

    @pytest.mark.todo(2)
    def test_second(kata, eager):
        """The second requirement."""
        assert kata.add(2, 2) == 0, "Two and two."
'''
LONG = "This sentence has so many words that no terminal of fifty characters has room for it."


def test_one_todo_at_a_time(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first TODO is told, its first failure in full, and the run fits on a screen."""
    monkeypatch.setenv("COLUMNS", "80")
    workshop.kata(MANY)
    result = workshop.run("-p", "no:randomly")
    output = result.stdout.str()
    assert len(result.outlines) <= 42
    assert "The sum with 0 is wrong." in output
    assert "The sum with 1 is wrong." in output
    assert output.count("What Celery did:") == 1
    assert "The second requirement." not in output
    hidden = 12 - output.count("The sum with")
    result.stdout.fnmatch_lines(
        [f"Not shown: TODO 1: {hidden} tests, TODO 2: 1 test.", "To read all: pytest * --all"]
    )


@pytest.mark.parametrize("option", ["--all", "-v"])
def test_all_of_it(workshop: Workshop, option: str) -> None:
    """Whoever asks for it sees every failure in full."""
    workshop.kata(MANY)
    result = workshop.run(option)
    output = result.stdout.str()
    assert output.count("What Celery did:") == 12
    assert output.count("Two and two.") == 1
    result.stdout.no_fnmatch_line("Not shown*")


def test_side_by_side(workshop: Workshop) -> None:
    """With pytest-xdist the same failures are chosen."""
    workshop.kata(MANY)
    result = workshop.run("-n", "2")
    assert result.stdout.str().count("What Celery did:") == 1
    result.stdout.fnmatch_lines(["Not shown: TODO 1: * tests, TODO 2: 1 test."])


def test_prose_is_wrapped(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence goes on below its own beginning, and the timeline is cut at the edge."""
    monkeypatch.setenv("COLUMNS", "50")
    workshop.kata(f"def test_it(kata, eager): assert kata.add.delay(1, 1).get() == 3, {LONG!r}")
    result = workshop.run()
    result.stdout.fnmatch_lines(
        [
            "    This sentence has so many words that no",
            "    terminal of fifty characters has room for it.",
        ]
    )
    told = [line for line in result.outlines if line.startswith("    ")]
    assert all(len(line) <= 50 for line in told)


def test_the_sentence_stands_out(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What went wrong is bold where there are colours."""
    monkeypatch.delenv("PY_COLORS")
    monkeypatch.setenv("FORCE_COLOR", "1")
    workshop.kata("def test_it(kata, eager): assert kata.add(1, 1) == 3, 'One and one.'")
    assert "\x1b[1m    One and one." in workshop.run().stdout.str()


def test_what_the_learner_logs(workshop: Workshop) -> None:
    """Prints, errors and log lines of the answer are shown with a failure, and no others."""
    workshop.kata(
        """
        import logging

        def test_it(kata, celery_worker):
            logging.getLogger("of.the.test").error("not the learner's")
            assert kata.speak.delay().get() == 1
        """,
        TASKS
        + """
import logging
import sys

from celery.utils.log import get_task_logger


@app.task
def speak():
    logging.getLogger(__name__).info("in the log")
    get_task_logger(__name__).info("in the log of tasks")
    print("on the error stream", file=sys.stderr)
    print("printed")
""",
    )
    output = workshop.run().stdout.str()
    for said in ("in the log", "in the log of tasks", "on the error stream", "printed"):
        assert f"{said}\n" in output
    assert "not the learner's" not in output


def test_a_test_of_ones_own_counts(workshop: Workshop) -> None:
    """All tests in the folder of a kata are counted, also those that the learner adds."""
    workshop.other_kata()
    workshop.write(
        "katas/98_other/test_mine.py", "def test_mine(kata, eager): assert kata.add(1, 1)"
    )
    workshop.run().stdout.fnmatch_lines(["*98_other * 2 of  2  done"])


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SOLUTIONS", "1", "the reference solutions"),
        ("KATAS_ANSWERS", "elsewhere", "the answers in elsewhere"),
    ],
)
def test_whose_answers_are_graded(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    """A run on other answers than the learner's says so at its beginning and at its end."""
    workshop.other_kata()
    for tree in ("solutions", "elsewhere"):
        workshop.write(f"{tree}/98_other/tasks.py", TASKS)
    monkeypatch.setenv(variable, value)
    output = workshop.run().stdout.str()
    assert output.count(f"This run grades {says}. It does not look at your files.") == 2


def test_another_pytest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pytest without Celery gives one friendly sentence, and the code of a wrong command."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # noqa: ARG005
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "conftest.py"))
    assert ended.value.code == pytest.ExitCode.USAGE_ERROR
    out, err = capsys.readouterr()
    assert err.startswith("This pytest cannot import celery and dojo.")
    assert out == ""
