"""Machines, plugins and settings that are not as usual: what is told, and that nothing hangs."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.workshop import PASSES, TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

WORKER = """
    import pytest

    @pytest.mark.todo(1)
    def test_it(kata, celery_worker):
        assert kata.add.delay(1, 2).get() == 3

    def test_again(kata, celery_worker):
        assert kata.add.delay(2, 2).get() == 4
"""


def test_a_plugin_that_is_verbose(workshop: Workshop) -> None:
    """A plugin that sets pytest's options for itself, as PyCharm's does, hides no word."""
    workshop.write(
        "editor.py",
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_configure(config):
            config.option.verbose, config.option.tbstyle = 2, "native"
        """,
    )
    workshop.kata("def test_it(kata, eager): assert kata.add(1, 1) == 3, 'One and one.'")
    result = workshop.run("-p", "editor")
    result.stdout.fnmatch_lines(["    One and one."])
    result.stdout.no_fnmatch_line("Traceback*")


def test_another_ini_file(workshop: Workshop) -> None:
    """Markers, warnings and the hang guard do not hang on pyproject.toml."""
    workshop.kata(WORKER)
    ini = workshop.write("other.ini", "[pytest]\naddopts = -p no:celery --import-mode=importlib\n")
    result = workshop.run("-c", str(ini), "--rootdir", ".", "--strict-markers", "katas")
    result.assert_outcomes(passed=2)
    assert "warning" not in result.stdout.str()


def test_a_symbolic_link(workshop: Workshop) -> None:
    """A path through a symbolic link leads to the same kata."""
    workshop.other_kata()
    (workshop.folder / "link").symlink_to(workshop.folder)
    result = workshop.run(str(workshop.folder / "link/katas/98_other"))
    result.stdout.fnmatch_lines(["*98_other * 1 of  1  done"])


def test_without_docstrings(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """With PYTHONOPTIMIZE=2 a failure still has its requirement."""
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    workshop.kata(
        '''
        def test_it(kata, eager):
            """It adds up."""
            assert kata.add(1, 1) == 3, "One and one."
        '''
    )
    workshop.run().stdout.fnmatch_lines(["It adds up."])


@pytest.mark.skipif(sys.platform != "linux", reason="needs network name spaces")
def test_no_loopback(workshop: Workshop) -> None:
    """Without a loopback network the trouble is told once, as one of the machine."""
    workshop.kata(WORKER)
    command = [sys.executable, "-m", "pytest", "--timeout=20"]
    result = workshop.pytester.run("unshare", "-rn", *command, timeout=100)
    if "unshare" in result.stderr.str():
        pytest.skip("name spaces are not allowed here")
    output = result.stdout.str()
    assert output.count("This is no fault of your answer") == 1
    assert "TODO 1" not in output
    assert "ulimit" not in output


@pytest.mark.parametrize(("soft", "hard"), [(40, 4096), (40, 40)])
def test_few_open_files(workshop: Workshop, soft: int, hard: int) -> None:
    """A low limit is raised; one that cannot be raised is told at once, with what to do."""
    resource = pytest.importorskip("resource")
    workshop.kata(WORKER)
    workshop.write(
        "limited.py",
        f"""
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
        """,
    )
    if hard > resource.getrlimit(resource.RLIMIT_NOFILE)[1]:
        pytest.skip("the limit cannot be so high here")
    result = workshop.run("-p", "limited")
    if hard > soft:
        result.assert_outcomes(passed=2)
    else:
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*may open 40 files here*ulimit -n 1024"])


def test_without_a_terminal_report(workshop: Workshop) -> None:
    """`-p no:terminal` prints nothing, and the exit code still tells."""
    workshop.kata(WORKER)
    result = workshop.run("-p", "no:terminal")
    assert (result.ret, result.outlines) == (pytest.ExitCode.OK, [])


def test_a_file_that_hides_a_package(workshop: Workshop) -> None:
    """A `redis.py` on the path is named, and no TODO is."""
    workshop.kata(WORKER)
    workshop.write("redis.py", "")
    result = workshop.pytester.run(sys.executable, "-m", "pytest", "--timeout=20", timeout=100)
    result.stdout.fnmatch_lines(["*The file redis.py hides the package `redis`*"])


@pytest.mark.parametrize(
    "variable",
    [
        {"CELERY_BROKER_READ_URL": "redis://127.0.0.1:1/0"},
        {"CELERY_BROKER_WRITE_URL": "redis://127.0.0.1:1/0"},
        {"CELERY_CONFIG_MODULE": "celeryconfig"},
        {"CELERY_LOADER": "default"},
    ],
    ids=lambda variable: next(iter(variable)),
)
def test_celerys_own_variables(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, variable: dict[str, str]
) -> None:
    """What another project has set for Celery does not reach the tests."""
    workshop.write("celeryconfig.py", "task_always_eager = True")
    monkeypatch.setenv("PYTHONPATH", str(workshop.folder))
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    workshop.kata(WORKER)
    workshop.passes(2)


@pytest.mark.parametrize(
    "line",
    [
        "backend = app.backend",
        "state = app.AsyncResult('x').backend",
        "app.control.inspect()",
        "amqp = app.amqp",
        "import os; os.environ['CELERY_BROKER_URL'] = 'redis://127.0.0.1:1/0'",
        "app.conf.broker_read_url = 'redis://127.0.0.1:1/0'",
        "app.conf.broker_url = 'redis://127.0.0.1:1/0'",
        "app.conf.result_backend = 'redis://127.0.0.1:1/0'",
        "app.conf.task_protocol = 1",
    ],
)
def test_what_an_answer_touches_while_it_is_imported(workshop: Workshop, line: str) -> None:
    """The settings are there before the import, and the broker is ours however it is named."""
    workshop.kata(
        dedent(WORKER)
        + dedent(
            """
            def test_events(kata, celery_worker, timeline):
                kata.add.apply_async((1,), {"y": 2}).get()
                assert [(e.args, e.kwargs) for e in timeline.sent()] == [((1,), {"y": 2})]

            def test_processes(kata, workers):
                workers()
                assert kata.add.delay(1, 2).get() == 3
            """
        ),
        f"{TASKS}\n{line}\n",
    )
    workshop.passes(4)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("app.conf.accept_content = 'json'", "The worker cannot start with this app."),
        (
            dedent(
                """
                from celery import bootsteps

                class Broken(bootsteps.StartStopStep):
                    def start(self, worker):
                        raise RuntimeError("no press is here")

                app.steps["worker"].add(Broken)
                """
            ),
            "RuntimeError: no press is here",
        ),
    ],
    ids=["accept_content", "bootstep"],
)
def test_a_worker_that_cannot_start(workshop: Workshop, line: str, says: str) -> None:
    """Its error is told at once, and not after the hang guard."""
    workshop.kata(WORKER, f"{TASKS}\n{line}\n")
    result = workshop.run()
    assert result.stdout.str().count("The worker cannot start with this app.") == 1
    result.stdout.fnmatch_lines([f"*{says}"])
    assert "Timeout" not in result.stdout.str()


@pytest.mark.parametrize(
    ("send", "says"),
    [
        ("add.apply_async((1, 2), countdown=60)", "waits * for its time: due in 60 s."),
        (
            "add.apply_async((1, 2), eta=datetime.now(timezone.utc) + timedelta(hours=2))",
            "waits * for its time: due in 7200 s.",
        ),
        (
            "add.apply_async((1, 2), serializer='pickle')",
            "A worker took the message and refused it (accept_content): ContentDisallowed: *",
        ),
        ("thrown_away()", "forget() has thrown it away."),
        ("add.delay(Odd(), 1)", "A worker took the message and threw it away: DecodeError: *"),
        (
            "add.apply_async((1, 2), queue='emial')",
            "*waits in queue 'emial'; the worker reads *",
        ),
    ],
    ids=["countdown", "eta", "pickle", "forget", "no decoding", "queue"],
)
def test_what_never_comes(workshop: Workshop, send: str, says: str) -> None:
    """A result that cannot come while the test runs is told at once, with the reason."""
    workshop.kata(
        """
        def test_it(kata, celery_worker):
            kata.go().get()
        """,
        TASKS
        + dedent(
            f"""
            from datetime import datetime, timedelta, timezone

            from kombu.utils.json import register_type

            class Odd:
                pass

            register_type(Odd, "odd", lambda odd: 1, lambda one: one["odd"])

            def thrown_away():
                result = add.delay(1, 2)
                result.forget()
                return result

            def go():
                return {send}
            """
        ),
    )
    result = workshop.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{says}"])
    assert "Timeout" not in result.stdout.str()


def test_the_error_that_ends_a_worker(workshop: Workshop) -> None:
    """A worker that ends by an error is told with it."""
    workshop.write(
        "katas/98_other/conftest.py",
        """
        import pytest
        from celery.worker.consumer import Consumer

        @pytest.fixture(autouse=True)
        def breaks(monkeypatch):
            def broken(*_):
                raise RuntimeError("out of ink")

            monkeypatch.setattr(Consumer, "create_task_handler", lambda *_: broken)
        """,
    )
    workshop.kata(PASSES.replace("eager", "celery_worker"), slug="98_other")
    result = workshop.run()
    result.stdout.fnmatch_lines(["*The worker has ended. RuntimeError: out of ink*"])


def test_an_install_without_its_katas(workshop: Workshop) -> None:
    """A dojo that is not installed in place says so in one line."""
    workshop.other_kata()
    conftest = Path(workshop.folder / "conftest.py")
    conftest.write_text(conftest.read_text() + "\ncurriculum.ROOT = curriculum.ROOT / 'none'\n")
    result = workshop.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: The dojo is installed in *, apart from its katas. *"])
