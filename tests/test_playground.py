"""`python -m dojo celery …`: Celery's own command line on one answer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from dojo.__main__ import main
from dojo.grading import curriculum
from dojo.running import playground
from dojo.running.broker import EmbeddedRedis
from tests.workshop import TOLD_OUTSIDE

pytestmark = pytest.mark.timeout(120)

DOJO = [sys.executable, "-m", "dojo", "celery"]
TOLD_CELERY = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "PYTHONPATH")
OWN_ANSWER = """
from celery import Celery

app = Celery("first_task")
app.conf.task_default_queue = "of_my_own"
"""


@pytest.fixture(autouse=True)
def _nothing_told_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*TOLD_OUTSIDE, *TOLD_CELERY):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def redis_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An embedded Redis, which the processes of this test use for everything."""
    with EmbeddedRedis() as server:
        monkeypatch.setenv("CELERY_BROKER_URL", server.url)
        monkeypatch.setenv("CELERY_RESULT_BACKEND", server.url)
        yield server.url


def celery(*arguments: str, cwd: Path = curriculum.ROOT) -> str:
    """What Celery printed. It must have succeeded."""
    run = subprocess.run([*DOJO, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.parametrize("name", ["05_routing", "05", "5", "katas/05_routing/"])
def test_a_kata_has_many_names(name: str) -> None:
    """A kata is known by its folder and by its number."""
    assert playground.find(name).slug == "05_routing"


@pytest.mark.parametrize("name", ["77", "routing", "", "0", "-5"])
def test_an_unknown_kata(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says which katas there are; the exit code is 2."""
    assert main(["celery", "--", name, "worker"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"There is no kata {name!r}. The katas are: 01_first_task, 02_")
    assert output.err.count("\n") == 1


def test_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says which file is missing; the exit code is 2."""
    monkeypatch.setenv("KATAS_ANSWERS", str(tmp_path))
    assert main(["celery", "01_first_task", "worker"]) == 2
    assert "01_first_task/tasks.py is missing." in capsys.readouterr().err


def test_the_answer_comes_first(tmp_path: Path) -> None:
    """Python looks beside the answer, then beside the stub, then where it was told to look."""
    kata = playground.find("04_retry")
    told = {"PYTHONPATH": "elsewhere", "CELERY_BROKER_URL": "amqp://my.own"}
    environment = playground.environment(kata, tmp_path / "tasks.py", told)
    places = [str(tmp_path), str(kata.folder), "elsewhere"]
    assert environment["PYTHONPATH"].split(os.pathsep) == places
    assert environment["CELERY_BROKER_URL"] == "amqp://my.own"
    assert environment["CELERY_RESULT_BACKEND"] == playground.REDIS


def test_runs_the_chosen_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer that the environment chooses is run, though the current folder has another."""
    answer = tmp_path / "01_first_task" / "tasks.py"
    answer.parent.mkdir()
    answer.write_text(OWN_ANSWER, encoding="utf-8")
    monkeypatch.setenv("KATAS_ANSWERS", str(tmp_path))
    report = celery("1", "report", cwd=curriculum.ROOT / "katas" / "05_routing")
    assert "task_default_queue: 'of_my_own'" in report


def test_finds_what_stands_beside_the_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A solution may import a module of its kata."""
    monkeypatch.setenv("SOLUTIONS", "1")
    assert "settings -> transport:redis" in celery("04_retry", "report")


def test_a_worker_runs_what_is_called(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that one command sends is run by the worker of another; the result is kept."""
    monkeypatch.setenv("SOLUTIONS", "1")
    options = ["--loglevel=INFO", "--pool=solo", "--without-mingle", "--without-gossip"]
    worker = subprocess.Popen(
        [*DOJO, "01_first_task", "worker", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        task_id = celery("01_first_task", "call", "tasks.price", "--args", "[10, 15]").strip()
        assert worker.stdout is not None
        said = []
        for line in worker.stdout:  # until the task has ended, or the worker
            said.append(line)
            if f"[{task_id}] succeeded" in line:
                break
        else:
            pytest.fail("".join(said))
    finally:
        worker.kill()
        worker.communicate()
    with Celery("reader", backend=redis_url, set_as_current=False) as reader:
        assert reader.AsyncResult(task_id).result == 350
