"""Notices code of the learner that does not come to an end, and stops it.

A last resort, like the hang guard, and no test of speed: it counts how often it looks while
nothing at all happens, neither an event of Celery nor another piece of code. Who waits for a
result, or is held at a gate, is not its business: `dojo.evidence.waiting` knows when that is in
vain.
"""

from __future__ import annotations

import contextlib
import ctypes
import linecache
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from pytest_timeout import is_debugging  # type: ignore[import-untyped]

from dojo.evidence.waiting import Watch
from dojo.grading.answers import AnswerError, NotRunError, shown

TICK = 0.1  # seconds between two looks
PATIENCE = 50  # looks at the same thing: an honest task takes a few of them
#: The same for a task in another process. Celery needs five seconds to see that one was killed.
PATIENCE_ELSEWHERE = 70
LOOKS_AGAIN = 5  # at the test's own thread, before it is said to be busy
MOST_MESSAGES = 500  # and updates of a state, in one test; an honest one has some dozens
LAST_TRIES = 25  # how often, every 0.02 seconds, a thread is told to end
WAKE = getattr(signal, "SIGVTALRM", None)  # nobody else uses it; there is none on Windows
LOOK_FOR = "Look for an endless loop, a long sleep, or something that waits and never gets it."
NOT_RUN = "Until that is mended, the other tests of this file are not run."
SESSION = pytest.StashKey[pytest.Session]()
_forgotten: list[threading.Thread] = []  # those that could not be ended
_endless: dict[tuple[str, int, int], str] = {}  # by answer: what its other tests are told


class Endless(pytest.fail.Exception):  # type: ignore[name-defined,misc]
    """Stops the test's own code. No `except Exception` of the learner's keeps it."""


class Guard:
    """Watches one test, from the import of the answer until everything has stopped."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._answer = ""
        self._main = threading.current_thread()
        self._can_wake = WAKE is not None and self._main is threading.main_thread()
        self._over = threading.Event()
        self._verdict = ""

    @contextlib.contextmanager
    def over(self, answer: Path) -> Iterator[None]:
        """Guard the run of this answer, and its import.

        Raises:
            NotRunError: another test of this run has found that it does not come to an end.
        """
        stat = answer.stat()
        self._answer, self._stamp = str(answer), (str(answer), stat.st_mtime_ns, stat.st_size)
        if told := _endless.get(self._stamp):
            raise NotRunError(told)
        known = set(threading.enumerate())
        looker = threading.Thread(target=self._look, name="guard", daemon=True)
        with _signal_handled(self._on_wake if self._can_wake else None):
            looker.start()
            trace = sys.gettrace()
            try:
                yield
            except AnswerError as error:
                if self._verdict:
                    _endless[self._stamp] = str(error)
                raise
            finally:
                if self._verdict or set(threading.enumerate()) - known - {looker}:
                    self.stop_threads()
                if sys.gettrace() is not trace:
                    sys.settrace(trace)
                self._over.set()
                looker.join()

    # -- looking ------------------------------------------------------------------------

    def _look(self) -> None:
        before, looks = None, 0
        wait = self._over.wait  # our own: the learner may change the module
        while not wait(TICK):
            if is_debugging():
                looks = 0
                continue
            now = (len(self._watch.timeline), self._busy())
            looks = looks + 1 if now == before and now[1] else 0
            before = now
            if self._verdict:
                self._wake()
            elif looks >= self._patience():
                looks = 0
                if self._watch.busy() or self._test_stays_busy(wait):
                    self._give_up(self._about_endless(), self._place())
            elif self._signs_of_life() > MOST_MESSAGES:
                self._give_up(self._about_storm(), "")

    def _busy(self) -> tuple[str, ...]:
        """What runs and could come to an end by itself: tasks, and perhaps the test's own code.

        Whether that is the learner's is looked at later. CPython 3.11 may crash when frames of a
        running thread are looked at, so it is done for a verdict only.
        """
        tasks = tuple(m.sent.id for m in self._watch.busy())
        return tasks if self._watch.test_waits else (*tasks, "the test")

    def _patience(self) -> int:
        elsewhere = any(m.running and m.running.pid != os.getpid() for m in self._watch.busy())
        return PATIENCE_ELSEWHERE if elsewhere else PATIENCE

    def _test_stays_busy(self, wait: Callable[[float], bool]) -> bool:
        """Whether the answer runs in the test's own thread, and not only just now.

        The test may have waited for something else all the time, such as another process.
        """
        return all(self._test_is_busy() and not wait(TICK) for _ in range(LOOKS_AGAIN))

    def _test_is_busy(self) -> bool:
        ours = sys._current_frames().get(self._main.ident or 0)
        return not self._watch.test_waits and self._line_of(ours) is not None

    def _line_of(self, frame: FrameType | None) -> int | None:
        """The line of the answer that runs in this frame, or has called it."""
        while frame is not None:
            if frame.f_code.co_filename == self._answer:
                return frame.f_lineno
            frame = frame.f_back
        return None

    # -- giving up ----------------------------------------------------------------------

    def _give_up(self, what: str, place: str) -> None:
        self._verdict = f"{what}\n{NOT_RUN}"
        why = "\n".join(filter(None, [self._verdict, place]))
        _endless[self._stamp] = why
        self._watch.give_up(why)
        self._wake()

    def _about_endless(self) -> str:
        calls = [message.sent.call for message in self._watch.busy()]
        what = calls[0] if calls and not self._test_is_busy() else "Your code"  # as `_place` does
        return (
            f"{what} has not come to an end: "
            f"no task was sent, begun or ended for {TICK * self._patience():g} seconds.\n{LOOK_FOR}"
        )

    def _about_storm(self) -> str:
        timeline = self._watch.timeline
        names = Counter(event.task for event in timeline.sent())
        ((name, count),) = names.most_common(1)
        if count < len(timeline.updates()):
            name = timeline.updates()[-1].task
            return (
                f"{name} updated its state {len(timeline.updates())} times in this test, and there "
                "is no end to it.\nLook for an endless loop."
            )
        return (
            f"{name} was sent {count} times in this test, and there is no end to it.\n"
            "Look for a task that sends itself, or retries for ever, or for an endless loop."
        )

    def _signs_of_life(self) -> int:
        """How many messages and updates there were: what keeps a loop from looking endless."""
        return len(self._watch.timeline.sent()) + len(self._watch.timeline.updates())

    def _place(self) -> str:
        """The line that a thread has stopped at, as text."""
        frames = sys._current_frames()
        threads = [self._main] if self._test_is_busy() else self._others()
        for thread in threads:
            if line := self._line_of(frames.get(thread.ident or 0)):
                source = linecache.getline(self._answer, line).strip()
                return f"{shown(self._answer)}, line {line}:\n    {source}"
        return ""

    # -- stopping -----------------------------------------------------------------------

    def _wake(self) -> None:
        """Stop the test's own code; a signal also ends a wait that Python cannot interrupt."""
        if self._can_wake and self._test_is_busy():
            signal.pthread_kill(self._main.ident, WAKE)  # type: ignore[arg-type]

    def _on_wake(self, _signal: int, frame: FrameType | None) -> None:
        if not self._verdict or not self._line_of(frame) or is_debugging():
            return
        sys.settrace(lambda *_: None)
        while frame is not None:
            frame.f_trace = self._refuse_line
            frame = frame.f_back
        raise Endless(self._verdict)

    def _refuse_line(self, frame: FrameType, event: str, _: object) -> Any:
        """Raise again at the next line: a bare `except` has taken what was raised before."""
        if event == "line" and frame.f_code.co_filename == self._answer:
            raise Endless(self._verdict)
        return self._refuse_line

    def _others(self) -> list[threading.Thread]:
        """The other threads in which the learner's code runs."""
        frames = sys._current_frames()
        others = [t for t in threading.enumerate() if t is not self._main]
        return [t for t in others if self._line_of(frames.get(t.ident or 0))]

    def stop_threads(self) -> None:
        """End the threads in which the learner's code still runs, or else forget them.

        Celery ends a worker when a task calls sys.exit(), so we let its code do that. It
        works as soon as the thread comes to its next line.
        """
        told = self._others()
        if not told:
            return
        # In CPython 3.11 a thread that is traced spins until the other has got its exception.
        sys.settrace(None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading, "excepthook", lambda _: None)  # pytest would tell it
            for _ in range(LAST_TRIES):
                for thread in (threads := self._others()):
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
                    )
                if not threads:
                    break
                threads[0].join(0.02)
            for thread in told:
                thread.join(0.02)
        for thread in self._others():
            _forget(thread)


@contextlib.contextmanager
def _signal_handled(handler: Callable[[int, FrameType | None], None] | None) -> Iterator[None]:
    if handler is None or WAKE is None:
        yield
        return
    before = signal.signal(WAKE, handler)
    try:
        yield
    finally:
        signal.signal(WAKE, before)


def _forget(thread: threading.Thread) -> None:
    """Let nobody wait for this thread: it waits in C, and cannot be told to end."""
    _forgotten.append(thread)
    thread.join = lambda timeout=None: None  # type: ignore[method-assign] # noqa: ARG005
    thread.is_alive = lambda: False  # type: ignore[method-assign]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remember the run: its exit code is known only after this."""
    session.config.stash[SESSION] = session


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process at once if it would wait for a thread that never ends."""
    session = config.stash.get(SESSION, None)
    others = (t for t in threading.enumerate() if t is not threading.main_thread())
    waits = bool(_forgotten) or any(not thread.daemon for thread in others)
    if session is None or not waits or hasattr(config, "workerinput"):
        return  # pytest-xdist ends its own processes
    config.get_terminal_writer().flush()
    sys.stdout.flush()
    os._exit(int(session.exitstatus))
