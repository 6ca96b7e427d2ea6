"""What the learner reads after a run."""

from __future__ import annotations

import pytest

from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

STUB = (
    TASKS
    + '''

def double(x):
    """Twice x."""
    raise NotImplementedError("TODO 2: double it")
'''
)
GAP = STUB.splitlines().index('    raise NotImplementedError("TODO 2: double it")') + 1
TESTS = '''
    import pytest

    @pytest.mark.todo(1)
    def test_add(kata, eager):
        """`add` adds up."""
        assert kata.add.delay(1, 2).get() == 3

    @pytest.mark.todo(2)
    def test_double(kata, eager):
        """`double` gives
        twice the number."""
        assert kata.double(4) == 8
'''


def test_a_gap_is_not_a_crash(workshop: Workshop) -> None:
    """A test that meets a TODO says so, under its requirement, and says nothing else."""
    workshop.kata(TESTS, STUB)
    result = workshop.run()
    start = next(n for n, line in enumerate(result.outlines) if "_ test_double _" in line)
    assert result.outlines[start + 1 : start + 5] == [
        "`double` gives twice the number.",
        "",
        f"    Not done yet: TODO 2, in katas/99_sample/tasks.py, line {GAP}.",
        "-" * 96 + " katas " + "-" * 97,
    ]


def test_a_failure_is_explained(workshop: Workshop) -> None:
    """A failure has the requirement, the cause, both places, the timeline and the way on."""
    workshop.kata(
        '''
        import pytest

        @pytest.mark.todo(2)
        def test_it(kata, celery_worker, settle):
            """The worker divides."""
            print("printed by the test")
            kata.divide.delay(1, 1)
            settle()
            kata.divide(4, 0)
        ''',
        STUB + "\n\n@app.task\ndef divide(x, y):\n    return x / y\n",
    )
    result = workshop.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "The worker divides.",
            "",
            "    ZeroDivisionError: division by zero",
            "",
            f"    katas/99_sample/tasks.py, line {GAP + 5}:",
            "        return x / y",
            "    katas/99_sample/test_sample.py, line 10:",
            "        kata.divide(4, 0)",
            "",
            "What Celery did:",
            "         ms  caller     worker",
            "          0  sent       |          tasks.divide(1, 1) to queue 'celery'",
            "    *  |          started    tasks.divide(1, 1)",
            "    *  |          succeeded  tasks.divide",
            "",
            f"This test is about TODO 2: katas/99_sample/tasks.py, line {GAP}",
            "A hint: pytest *",
            "*- Captured stdout call -*",
            "printed by the test",
        ],
        consecutive=True,
    )
    assert "dojo/" not in result.stdout.str()
    assert "site-packages" not in result.stdout.str()


@pytest.mark.parametrize("option", ["-vv", "--tb=long", "--tb=short"])
def test_pytests_own_words(workshop: Workshop, option: str) -> None:
    """Whoever asks pytest for more gets what pytest says, frames and all."""
    workshop.kata(TESTS, STUB)
    result = workshop.run(option)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E   *NotImplementedError: TODO 2: double it"])
    result.stdout.no_fnmatch_line("*Not done yet: TODO 2*")
    result.stdout.fnmatch_lines(["*99_sample * 1 of  2  TODO 2"])


def test_side_by_side(workshop: Workshop) -> None:
    """With pytest-xdist the report is the same."""
    workshop.kata(TESTS, STUB)
    workshop.other_kata()
    result = workshop.run("-n", "2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "`double` gives twice the number.",
            f"    Not done yet: TODO 2, in katas/99_sample/tasks.py, line {GAP}.",
            "*98_other * 1 of  1  done",
            "*99_sample * 1 of  2  TODO 2",
        ]
    )


def test_all_is_done(workshop: Workshop) -> None:
    """The exit code is 0 when all tests pass, whoever runs them."""
    workshop.kata(
        TESTS, STUB.replace('raise NotImplementedError("TODO 2: double it")', "return 2 * x")
    )
    for options in ([], ["-n", "2"]):
        result = workshop.run(*options)
        assert result.ret == pytest.ExitCode.OK
        result.stdout.fnmatch_lines(["*99_sample * 2 of  2  done"])


def test_an_error_outside_the_test_counts(workshop: Workshop) -> None:
    """A kata is not done when a test passes and its teardown fails."""
    workshop.write(
        "katas/99_sample/conftest.py",
        """
        import pytest

        @pytest.fixture(autouse=True)
        def breaks():
            yield
            raise OSError("the disk is full")
        """,
    )
    workshop.kata("def test_it(kata, eager): pass")
    result = workshop.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*OSError: the disk is full", "*99_sample * 0 of  1  1 to go"])


def test_our_own_defect_hides_nothing(workshop: Workshop) -> None:
    """If the explanation itself fails, the learner still reads what pytest has to say."""
    with (workshop.folder / "conftest.py").open("a") as conftest:
        conftest.write(
            "\nfrom dojo.telling import explain\n\nexplain.explain = lambda *_, **__: 1 / 0\n"
        )
    workshop.kata(TESTS, STUB)
    workshop.other_kata()
    result = workshop.run()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E   *NotImplementedError: TODO 2: double it",
            "The dojo could not explain this: ZeroDivisionError: division by zero",
            "*99_sample * 1 of  2  TODO 2",
        ]
    )


def test_an_endless_loop(workshop: Workshop) -> None:
    """The hang guard ends a loop of the learner's, and shows its line and no stacks of ours."""
    workshop.kata(
        """
        import pytest

        @pytest.mark.timeout(2, func_only=True)
        def test_it(kata):
            kata.spin()
        """,
        TASKS + "\n\ndef spin():\n    print('turn')\n    while True: pass\n",
    )
    result = workshop.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*the test did not come to an end.", "        while True: pass", "turn"]
    )
    result.stdout.no_fnmatch_line("*dojo/*")


def test_which_todo(workshop: Workshop) -> None:
    """A failure names the TODO that the test is about, an earlier one that is still open, or
    the one that its message names."""
    workshop.kata(
        """
        import pytest

        @pytest.mark.todo(1)
        def test_earlier(kata, eager):
            assert kata.add(1, 1) == 3

        @pytest.mark.todo(3)
        def test_later(kata, eager):
            assert kata.add(1, 1) == 4

        @pytest.mark.todo(3)
        def test_named(kata, eager):
            assert kata.add(1, 1) == 5, "Look at the route (TODO 1)."
        """,
        STUB,
    )
    result = workshop.run("-p", "no:randomly", "--all")
    result.stdout.fnmatch_lines(
        [
            "This test is about TODO 1: katas/99_sample/tasks.py",
            "A hint: *",
            f"TODO 2 comes first: katas/99_sample/tasks.py, line {GAP}",
            "A hint: *",
            "This test is about TODO 1: katas/99_sample/tasks.py",
            "A hint: *",
        ]
    )


def test_nothing_is_said_where_nothing_is_due(workshop: Workshop) -> None:
    """That Celery did nothing is told only by a test that looks at what it did."""
    workshop.kata(
        """
        def test_sums(kata, eager):
            assert kata.add(1, 1) == 3

        def test_messages(kata, timeline):
            assert timeline.sent()
        """
    )
    result = workshop.run("-p", "no:randomly", "-k", "sums")
    result.stdout.no_fnmatch_line("*What Celery did*")
    result = workshop.run("-p", "no:randomly", "-k", "messages")
    result.stdout.fnmatch_lines(["What Celery did:", "    nothing: no message was sent *"])


def test_the_same_text_is_told_once(workshop: Workshop) -> None:
    """What tests would tell in the same words is told once, also a gap of the stub."""
    workshop.kata(
        '''
        import pytest

        def test_first(kata, eager): kata.add(1)

        def test_second(kata, eager): kata.add(1)

        def test_third(kata, eager): kata.double(1)

        def test_fourth(kata, eager): kata.double(2)

        @pytest.mark.parametrize("number", [1, 2, 3])
        def test_fifth(kata, eager, number):
            """It doubles each number."""
            kata.double(number)
        ''',
        STUB,
    )
    result = workshop.run()
    output = result.stdout.str()
    assert output.count("missing 1 required positional argument") == 1
    assert output.count("Not done yet: TODO 2") == 1
    result.stdout.fnmatch_lines(["*2 failed, 5 to do in *"])
