"""The benchmarks: what they make of their measurements. Nothing is measured here."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from benchmarks import __main__ as cli
from benchmarks import cases
from benchmarks.budgets import Row, table
from benchmarks.processes import Duration, MeasurementError, Program, Run, run
from dojo.grading.curriculum import ROOT

ONE, TWO = "all solutions", "all solutions, -n 2"


def measured(cores: int = 2, **changes: float) -> cases.Measured:
    """Two rounds of every program, 1 s in the better one; `changes` are other seconds."""
    result = cases.Measured(cores)
    for name in cases.programs():
        best = changes.get(name.replace(" ", "_"), 1.0)
        tests = {"a test": Duration(best, processes=False)}
        result.runs[name] = [Run(best + 5, 90, tests), Run(best, 80, tests)]
    return result


def row(result: cases.Measured, start: str) -> Row:
    """The row whose name begins with `start`."""
    return next(row for row in cases.rows(result) if row.name.startswith(start))


def with_tests(result: cases.Measured, name: str, *rounds: dict[str, float]) -> None:
    """Let `name` have run these tests; those that begin with "process" start workers."""
    result.runs[name] = [
        Run(1, 50, {test: Duration(s, test.startswith("process")) for test, s in tests.items()})
        for tests in rounds
    ]


@pytest.mark.parametrize(
    ("value", "at_least", "kept"),
    [
        (1.9, False, True),
        (2, False, True),
        (2.1, False, False),
        (1.9, True, False),
        (2, True, True),
        (2.1, True, True),
        (None, False, None),
        (None, True, None),
    ],
)
def test_a_budget(value: float | None, at_least: bool, kept: bool | None) -> None:
    """A budget is kept at its limit and on the right side of it; without a value nobody knows."""
    assert Row("it", value, "x", 2, at_least).kept is kept


def test_the_table() -> None:
    """The table has a line for each row, with columns that stand below each other."""
    rows = [
        Row("short", 1.234, "x", 1.3),
        Row("a longer name", 12, "x", 20, at_least=True),
        Row("unknown", None, "MB", 200, note="it failed"),
    ]
    assert table(rows).splitlines() == [
        "               measured    budget",
        "short            1.23 x   ≤ 1.3 x  kept",
        "a longer name   12.00 x    ≥ 20 x  missed",
        "unknown               -  ≤ 200 MB  not measured: it failed",
    ]


def test_ratios_take_the_best_run() -> None:
    """A ratio compares the best run of one program with the best run of the other."""
    result = measured(eager_kata=1.2, bare_pytest=0.8, embedded_kata=3, all_stubs=0.5)
    assert row(result, "an eager kata").value == pytest.approx(1.5)
    assert row(result, "an embedded kata").value == pytest.approx(3)
    assert row(result, "all stubs").value == pytest.approx(0.5)


def test_faster_than_the_stock_way() -> None:
    """The times of the same tests are compared, each test in its best run."""
    result = measured()
    with_tests(result, "worker tests", {"one": 0.1, "two": 0.4}, {"one": 0.2, "two": 0.3})
    with_tests(result, "worker tests, stock way", {"one": 6, "two": 6})
    assert row(result, "a test with a worker").value == pytest.approx(12 / 0.4)


def test_the_slowest_tests() -> None:
    """Tests with worker processes have a row of their own."""
    result = measured()
    with_tests(result, ONE, {"a": 0.9, "b": 2, "process": 4}, {"a": 0.8, "b": 0.7, "process": 3})
    assert row(result, "slowest test").value == pytest.approx(0.8)
    assert row(result, "slowest test with").value == pytest.approx(3)


def test_two_processes_need_two_cores() -> None:
    """With one core it is not a measurement."""
    assert row(measured(all_solutions=1.7), "all solutions").kept
    assert row(measured(cores=1), "all solutions").kept is None


def test_memory_is_the_worst() -> None:
    """The largest process of any run counts."""
    result = measured()
    result.runs[TWO].append(Run(1, 250))
    assert row(result, "memory").value == 250
    assert row(result, "memory").kept is False


def test_a_failed_program_leaves_its_rows_open() -> None:
    """Rows that need a program that failed are not measured, and the others are."""
    result = measured()
    del result.runs["bare pytest"]
    assert row(result, "an eager kata").verdict == "not measured: bare pytest failed"
    assert row(result, "an embedded kata").kept is not None


@pytest.mark.parametrize(
    ("options", "failed", "code"),
    [([], None, 0), (["--check"], None, 1), ([], "all stubs", 2), (["--check"], "all stubs", 2)],
)
def test_the_command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    options: list[str],
    failed: str | None,
    code: int,
) -> None:
    """It prints the table, writes the JSON file, and its exit code tells how it went."""
    result = measured(bare_pytest=0.5)  # the eager kata takes twice that, and may not
    if failed:
        result.failures[failed] = "exit code 0 and not 1"
        del result.runs[failed]
    monkeypatch.setattr(cli, "measure", lambda rounds, cores: result)  # noqa: ARG005
    file = tmp_path / "numbers.json"
    assert cli.main([*options, "--json", str(file)]) == code
    out, err = capsys.readouterr()
    assert table(cases.rows(result)) in out
    assert ("all stubs failed: exit code 0 and not 1" in err) == bool(failed)
    written = json.loads(file.read_text(encoding="utf-8"))
    by_name = {row["name"]: row for row in written["rows"]}
    eager = by_name["an eager kata / bare pytest"]
    assert (eager["value"], eager["budget"], eager["bound"]) == (2, 1.1, "at most")
    assert eager["kept"] is False
    assert by_name["all stubs / all solutions"]["kept"] is (None if failed else True)
    assert written["seconds"]["bare pytest"] == [5.5, 0.5]
    assert written["failures"] == result.failures
    assert {"python", "celery", "cores", "load"} <= set(written)


def test_a_round_runs_every_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs take turns; one that fails is not run again."""
    ran = []

    def fake(program: Program) -> Run:
        ran.append(program.arguments[0])
        if program.arguments[0] == "bad":
            raise MeasurementError("no")
        return Run(1, 1)

    turns = {"a": 2, "bad": 2, "b": 1, "c": 3}
    programs = {name: Program((name,), turns=number) for name, number in turns.items()}
    monkeypatch.setattr(cli, "programs", lambda: programs)
    monkeypatch.setattr(cli, "run", fake)
    result = cli.measure(2, 2)
    assert ran == ["a", "bad", "b", "c", "a", "c", "c", *"abcacc"]
    assert {name: len(runs) for name, runs in result.runs.items()} == {"a": 4, "b": 2, "c": 6}
    assert result.failures == {"bad": "no"}


def test_a_program_is_run() -> None:
    """A run tells time, memory and what the plugin wrote; settings from outside stay outside."""
    code = (
        "import json, os\n"
        "assert os.environ['SOLUTIONS'] == '1'\n"
        "test = {'a test': {'seconds': 2.0, 'processes': True}}\n"
        "open(os.environ['BENCHMARKS_TIMES'], 'w').write(json.dumps(test))\n"
        "raise SystemExit(3)"
    )
    result = run(Program(("-c", code), {"SOLUTIONS": "1"}, exit_code=3))
    assert result.seconds > 0
    assert 1 < result.megabytes < 1000
    assert result.tests == {"a test": Duration(2.0, True)}


def test_settings_from_outside_stay_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's environment says to the katas does not change a measurement."""
    for name in ("SOLUTIONS", "KATAS_REDIS_URL", "PYTEST_ADDOPTS", "CELERY_BROKER_URL"):
        monkeypatch.setenv(name, "something")
    code = (
        "import os; print(sorted(os.environ)); raise SystemExit('something' in os.environ.values())"
    )
    run(Program(("-c", code)))


def test_another_exit_code_is_a_failure() -> None:
    """A program that ends otherwise than it must is not measured; its last words are told."""
    with pytest.raises(MeasurementError, match=r"exit code 4 and not 0\n    last words"):
        run(Program(("-c", "print('last words'); raise SystemExit(4)")))


@pytest.mark.parametrize(
    ("tests", "fixtures"),
    [
        (cases.WITH_A_WORKER, {"kata", "price_list", "celery_worker"}),
        (cases.EAGER, {"kata", "eager"}),
    ],
)
def test_the_measured_tests_are_there(tests: tuple[str, ...], fixtures: set[str]) -> None:
    """The tests that the benchmarks name exist, and ask for these fixtures."""
    for test in tests:
        file, name = test.split("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        found = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
        assert found, f"{file} has no {name}"
        asked = {argument.arg for argument in found[0].args.args}
        assert asked >= fixtures
        assert "workers" not in asked
        if "celery_worker" in fixtures:
            assert asked - {"monkeypatch"} == fixtures  # that one is pytest's own
