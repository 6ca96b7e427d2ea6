"""Which file is graded, and that each test gets it afresh."""

from __future__ import annotations

import pytest

from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

WHO = """
    from celery import Celery

    app = Celery("sample")
    WHO = "{}"
"""
ASK = '''
    def test_who(kata, eager):
        """It says who it is."""
        print("graded:", kata.WHO)
'''


@pytest.mark.parametrize(
    ("environment", "graded"),
    [
        ({}, "stub"),
        ({"SOLUTIONS": "1"}, "solution"),
        ({"SOLUTIONS": "0"}, "stub"),
        ({"KATAS_ANSWERS": "elsewhere"}, "elsewhere"),
        ({"KATAS_ANSWERS": "elsewhere", "SOLUTIONS": "1"}, "elsewhere"),
    ],
    ids=["nothing_set", "solutions_1", "solutions_0", "a_folder", "a_folder_and_solutions"],
)
def test_the_environment_chooses_the_answer(
    workshop: Workshop,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    graded: str,
) -> None:
    """The stub is graded unless SOLUTIONS or KATAS_ANSWERS names another tree."""
    workshop.kata(ASK, WHO.format("stub"))
    workshop.write("solutions/99_sample/tasks.py", WHO.format("solution"))
    workshop.write("elsewhere/99_sample/tasks.py", WHO.format("elsewhere"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = workshop.run("-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"*graded: {graded}"])


def test_a_missing_answer_is_said_in_a_sentence(workshop: Workshop) -> None:
    """Without the file of the answer the learner reads what is missing, and nothing else."""
    workshop.kata(ASK).unlink()
    result = workshop.run()
    result.assert_outcomes(failed=1)
    said = "    katas/99_sample/tasks.py is missing. It holds the answer to 99_sample."
    place = result.outlines.index(said)
    assert result.outlines[place + 1] == "    Get it back: git restore katas/99_sample/tasks.py"
    result.stdout.no_fnmatch_line("*site-packages*")


def test_each_test_gets_a_fresh_module(workshop: Workshop) -> None:
    """The answer is imported for each test, as `tasks`, and nothing of it is left behind."""
    workshop.write("katas/99_sample/helper.py", "SEEN = []")
    workshop.write(
        "katas/99_sample/conftest.py",
        """
        import sys
        import pytest

        @pytest.fixture(autouse=True)
        def gone_afterwards():
            path = list(sys.path)
            yield
            assert not {"tasks", "helper"} & set(sys.modules)
            assert sys.path == path
        """,
    )
    tasks = TASKS + "\nimport sys, helper\n\nSEEN = []\nsys.path.clear()\n"
    workshop.kata(
        """
        import sys, pytest

        @pytest.mark.parametrize("turn", [1, 2])
        def test_it_is_fresh(kata, eager, turn):
            assert kata.SEEN == kata.helper.SEEN == []
            kata.SEEN.append(turn)
            kata.helper.SEEN.append(turn)

        def test_its_name(kata, eager):
            assert sys.modules["tasks"] is kata
            assert kata.__name__ == "tasks"
            assert kata.add.name == "tasks.add"
        """,
        tasks,
    )
    workshop.passes(3)


def test_an_edit_is_always_seen(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit counts at once, even in the same second and when the file keeps its size."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    tasks = TASKS + "\nimport helper\n\nVALUE = 0\n"
    workshop.write("katas/99_sample/helper.py", "VALUE = 0")
    workshop.kata(
        """
        import os, pytest
        from pathlib import Path

        @pytest.mark.parametrize("turn", [0, 1, 2])
        def test_edit(kata, eager, turn, edits=[]):
            assert kata.VALUE == kata.helper.VALUE == len(edits)
            edits.append(turn)
            for file in map(Path, (kata.__file__, kata.helper.__file__)):
                lines = file.read_text().splitlines()
                file.write_text("\\n".join([*lines[:-1], f"VALUE = {len(edits)}"]))
                os.utime(file, ns=(len(edits), len(edits)))  # all in the first second of 1970
        """,
        tasks,
    )
    workshop.passes(3)
