"""Code that does harm: the learner is told, the run goes on, and no other kata suffers."""

from __future__ import annotations

import re

import pytest

from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

FILE = "katas/97_sample/tasks.py"
DIRECTLY = '''
    def test_first(kata, eager):
        """The first requirement."""
        assert kata.quote(2) == 4
'''
ON_A_WORKER = '''
    def test_first(kata, celery_worker):
        """The first requirement."""
        assert kata.quote.delay(2).get() == 4
'''
IN_A_PROCESS = '''
    def test_first(kata, workers):
        """The first requirement."""
        workers()
        assert kata.quote.delay(2).get() == 4
'''
NEXT = '''
    import builtins, logging, os, signal, socket, sys, threading, time
    from pathlib import Path

    LOOP = "while True"

    def test_next(kata, celery_worker, request):
        """What comes next finds everything in order."""
        assert kata.add.delay(1, 2).get() == 3
        assert Path.cwd() == request.config.rootpath
        assert os.environ["HOME"]
        assert len([builtins.open, os.kill, socket.socket, time.monotonic]) == 4
        assert None not in [builtins.open, builtins.print, socket.socket, time.monotonic]
        assert sys.getrecursionlimit() >= 1000
        assert logging.root.manager.disable == logging.NOTSET
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert "spinning" not in [t.name for t in threading.enumerate() if t.is_alive()]
'''
QUOTE = "\n@app.task\ndef quote(x):\n"


def told(workshop: Workshop, added: str, tests: str = DIRECTLY, *options: str) -> str:
    """What is printed for a kata with this code. The next kata must run and pass."""
    workshop.kata(tests, TASKS + added, slug="97_sample")
    workshop.kata(NEXT, TASKS, slug="98_next")
    result = workshop.run("-p", "no:randomly", *options)
    output = result.stdout.str()
    assert re.search(r"98_next .*\b1 of +1  done$", output, re.M), output
    assert "Timeout (>" not in output
    assert "INTERNALERROR" not in output
    assert "dojo/" not in output
    assert "Traceback" not in output + result.stderr.str()
    return output


@pytest.mark.parametrize("call", ["os._exit(0)", "os.abort()", "os.kill(os.getpid(), 9)"])
@pytest.mark.parametrize("tests", [DIRECTLY, ON_A_WORKER], ids=["directly", "on_a_worker"])
def test_ending_the_process(workshop: Workshop, call: str, tests: str) -> None:
    """What would end the process of the worker is refused, and named."""
    output = told(workshop, f"import os\n{QUOTE}    {call}\n", tests)
    name = call.partition("(")[0]
    assert f"RuntimeError: {name}() is called. It would end the whole worker" in output
    assert call in output


def test_a_process_of_its_own_ends(workshop: Workshop) -> None:
    """In a real worker it does end a process: Celery says so."""
    output = told(workshop, f"import os\n{QUOTE}    os._exit(7)\n", IN_A_PROCESS, "--timeout=60")
    assert "WorkerLostError: Worker exited prematurely: exitcode 7" in output


def test_a_copy_of_the_process(workshop: Workshop) -> None:
    """No second process goes on with the tests."""
    output = told(workshop, f"import os\n{QUOTE}    os.fork()\n")
    assert "RuntimeError: os.fork() is called." in output
    assert output.count("The first requirement.") == 1


@pytest.mark.parametrize("leave", ["sys.exit(1)", "raise KeyboardInterrupt"])
def test_leaving_a_task(workshop: Workshop, leave: str) -> None:
    """A task that leaves without a result is named."""
    output = told(workshop, f"import sys\n{QUOTE}    {leave}\n", ON_A_WORKER)
    assert "tasks.quote(2) called sys.exit() or the like. That ends the worker, and" in output


@pytest.mark.parametrize("tests", [DIRECTLY, ON_A_WORKER], ids=["directly", "on_a_worker"])
@pytest.mark.parametrize("limit", ["", "import sys\nsys.setrecursionlimit(10**9)\n"])
def test_a_deep_recursion(workshop: Workshop, tests: str, limit: str) -> None:
    """An endless recursion is told in a few lines, and does not end the process."""
    output = told(workshop, f"{limit}{QUOTE}    return quote(x)\n", tests)
    assert "RecursionError: maximum recursion depth exceeded" in output
    assert 1 <= output.count("return quote(x)") <= 5


@pytest.mark.parametrize(
    "flood",
    [
        "for n in range(20_000): print('x' * 1000)",
        "print('x' * 20_000_000)",
        "sys.stderr.write('x' * 20_000_000)",
        "for n in range(20_000): logging.error('x' * 1000)",
    ],
    ids=["many_lines", "one_line", "stderr", "logging"],
)
@pytest.mark.parametrize("tests", [DIRECTLY, ON_A_WORKER], ids=["directly", "on_a_worker"])
def test_a_flood(workshop: Workshop, tests: str, flood: str) -> None:
    """What is printed is cut before it is stored."""
    output = told(workshop, f"import logging, sys\n{QUOTE}    {flood}\n", tests)
    assert "assert None == 4" in output
    assert len(output) < 200_000


def test_a_large_result(workshop: Workshop) -> None:
    """A result that is no result for Redis is refused."""
    output = told(workshop, f"{QUOTE}    return 'x' * 50_000_000\n", ON_A_WORKER)
    assert "EncodeError: 50 MB are too much for a message or a result." in output
    assert len(output) < 20_000


@pytest.mark.parametrize(
    "harm",
    [
        "import builtins\nbuiltins.open = builtins.print = None",
        "import socket, time\nsocket.socket = time.monotonic = None",
        "import os\nos.chdir('/')\nos.environ.clear()",
        "import sys\nsys.stdout.close()\nsys.stderr.close()",
        "import sys\nsys.stdout = sys.stderr = None",
        "import sys\nsys.path.clear()\nsys.setrecursionlimit(300)",
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "import logging, warnings\nlogging.disable()\nwarnings.simplefilter('error')",
        "import threading\nthreading.Thread(target=threading.Event().wait).start()",
        "import threading\ndef spin():\n    while True: pass\n"
        "threading.Thread(target=spin, name='spinning').start()",
    ],
    ids=[
        "builtins",
        "modules",
        "place",
        "closed_output",
        "no_output",
        "sys",
        "signals",
        "logging",
        "thread_that_waits",
        "thread_that_spins",
    ],
)
def test_harm_ends_with_the_test(workshop: Workshop, harm: str) -> None:
    """What the code changes in the process is put back, and the run ends."""
    output = told(workshop, f"{harm}\n{QUOTE}    return 3 * x\n")
    assert "assert 6 == 4" in output


@pytest.mark.parametrize("name", ["celery.py", "redis.py", "queue.py", "email.py"])
def test_a_file_named_like_a_library(workshop: Workshop, name: str) -> None:
    """A file beside the answer does not take the place of a library that is in use."""
    workshop.write(f"katas/97_sample/{name}", "raise ValueError('the wrong file')\n")
    output = told(workshop, f"{QUOTE}    return 3 * x\n", ON_A_WORKER)
    assert "assert 6 == 4" in output


def test_sending_while_imported(workshop: Workshop) -> None:
    """A task that is sent by the import itself is told as what it is."""
    output = told(workshop, f"{QUOTE}    return 2 * x\nquote.delay(1)\n", ON_A_WORKER)
    line = TASKS.count("\n") + 5
    assert f"{FILE}, line {line}: importing this file fails. " in output
    assert "It sends tasks.quote. Every worker imports this file, and would send that " in output


def test_skipping_while_imported(workshop: Workshop) -> None:
    """A file cannot skip its tests."""
    output = told(workshop, "import pytest\npytest.skip('no', allow_module_level=True)\n")
    assert "importing this file fails. no." in output
