"""What only this kata needs: a studio that the tests can hold, and a count of the looks."""

import contextlib
import importlib.util
import inspect
import json
import logging
import sys
import threading
from pathlib import Path

import pytest
from celery import Task

# Its folder is no package, so `import` does not find it.
_spec = importlib.util.spec_from_file_location("looking", Path(__file__).with_name("looking.py"))
looking = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(looking)


class Studio:
    """Stands before each photo: the worker goes on when the test lets it."""

    def __init__(self, watch):
        self._watch, self._let_go = watch, 0
        self.arrived = 0
        self.error = None  # raised by each photo
        self._open = threading.Event()
        self._may_go = lambda number: number <= self._let_go

    def before_photo(self, _=None):
        """Called in the worker's thread, which it holds."""
        self.arrived += 1
        number = self.arrived
        while not self._open.is_set() and not self._may_go(number):
            self._open.wait(looking.BRIEF / 4)
        if self.error:
            raise self.error

    def open(self):
        """Hold the worker no longer."""
        self._open.set()

    def hold_until(self, may_go):
        """Hold the worker before each photo until `may_go(number of the photo)`."""
        self._may_go = may_go

    def hold_at_end(self, looks, count):
        """Hold the worker also after it has reported the last one of `count` photos."""
        end = self.arrived + count

        def when_all_are_done(state):
            if state == "PROGRESS" and self.arrived == end:
                self.before_photo()

        looks.after_each_store = when_all_are_done

    def each_photo(self):
        """Yield while the worker stands before a photo, until no photo comes any more."""
        while self._watch.until(lambda: self.arrived > self._let_go):
            yield
            self._let_go += 1


@pytest.fixture
def looks(watch):
    """How the learner's code looks at the back end: see `looking.Looks`."""
    looks = looking.Looks(watch)
    with looks.pauses_noted():
        yield looks


@pytest.fixture
def kata(looks, kata):
    """The learner's module, with its looks counted."""
    looks.learner_file = kata.__file__
    if inspect.isfunction(getattr(kata, "status", None)):
        kata.status = looks.noted_status(kata.status)
    with looks.reads_noted(), looks.gets_noted():
        yield kata


@pytest.fixture
def studio(kata, watch, caplog):  # noqa: ARG001 - the module studio is there with the kata
    """Holds the worker before each photo: see `Studio`."""
    studio = Studio(watch)
    sys.modules["studio"].before_photo = studio.before_photo
    yield studio
    with caplog.at_level(logging.CRITICAL, "celery.app.trace"):  # of a test that has failed
        studio.open()
        watch.settle()


@pytest.fixture
def send(kata):
    """`send(photo_ids)` sends `render_album` and returns its AsyncResult."""

    def send_album(photo_ids):
        task = getattr(kata, "render_album", None)
        if not isinstance(task, Task) or task.name not in kata.app.tasks:
            with contextlib.suppress(TypeError, AttributeError):  # what NotImplementedError is not
                kata.render_album([])
            pytest.fail("`render_album` is not a task of `app`.")
        return task.delay(photo_ids)

    return send_album


@pytest.fixture
def followed(kata, send, studio, looks):
    """`followed(photo_ids)` makes and follows an album; returns what was told, and the result.

    The worker waits before each photo, and when all are done, until `follow` has told the
    change and has looked on for a while, or has shown that it does not mean to tell it.
    """

    def follow(photo_ids):
        told, begun = [], {}

        def may_go(number):
            reads, pauses = begun.setdefault(number, (looks.reads, looks.pauses))
            reads, pauses = looks.reads - reads, looks.pauses - pauses
            if reads > 300 or pauses > 25:
                studio.open()
            tells = number == 1 or 100 * (number - 1) // len(photo_ids) in told
            return tells and (reads > 30 or pauses > 1)

        studio.hold_until(may_go)
        studio.hold_at_end(looks, len(photo_ids))
        result = send(photo_ids)
        with looks.of_follow():
            return told, kata.follow(result, told.append)

    return follow


@pytest.fixture
def page_of(kata, looks):
    """`page_of(task_id)`: what `status` says, as a browser gets it."""

    def ask(task_id):
        pauses = looks.pauses
        page = kata.status(task_id)
        assert looks.pauses == pauses, (
            f"`status` has waited. It returned {page!r}.\n"
            "It must answer at once with what is known now: somebody waits for the page."
        )
        assert isinstance(page, dict), f"`status` must return a dict. It returned {page!r}."
        try:
            page = json.loads(json.dumps(page))
        except TypeError as error:
            pytest.fail(f"`status` returned {page!r}. It cannot be written as JSON: {error}.")
        missing = {"state", "percent"} - set(page)
        assert not missing, f"`status` returned {page!r}, without {sorted(missing)}."
        return page

    return ask


@pytest.fixture
def must_raise():
    """`must_raise(name, error, text, call, *args)` fails unless the call raises this error."""

    def check(name, error, text, call, *args):
        try:
            seen, trace = f"returned {call(*args)!r}", None
        except (AssertionError, NotImplementedError):
            raise
        except Exception as raised:
            if type(raised).__name__ == error.rpartition(".")[2] and text in str(raised):
                return
            seen, trace = f"raised {type(raised).__name__}: {raised}", raised.__traceback__
        must = f"{name} must raise {error}: {text}.\nIt {seen}."
        raise AssertionError(must).with_traceback(trace) from None

    return check
