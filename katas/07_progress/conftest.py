"""What only this kata needs: a studio that the tests can hold, and a count of the looks."""

import contextlib
import importlib
import logging
import math
import sys
import threading
import time
from unittest import mock

import pytest
from celery.backends.asynchronous import BaseResultConsumer
from celery.backends.redis import RedisBackend
from celery.result import AsyncResult

from dojo.recorder import current_worker_task

BRIEF = 0.02  # seconds that a pause of the learner's code really takes
PATIENCE = 30  # looks and pauses of `follow` after the album has ended


class Thread(threading.local):
    """What one thread does."""

    reads = 0  # since its last pause
    paused = 0.0  # seconds asked for since its last read
    in_get = False  # Celery reads and waits by itself
    changing = False  # a test changes what is stored


class Looks:
    """How the learner's code looks at the result back end, and how it pauses in between."""

    def __init__(self, watch):
        self.reads = self.pauses = 0
        self.most_at_once = 0  # reads without any pause
        self.shortest_pause = math.inf  # seconds asked for, between two reads
        self.after_each_read = lambda: None
        self.after_each_store = lambda _: None
        self.stored = []  # the states that anybody has stored
        self.learner_file = None
        self._watch = watch
        self._following = False
        self._too_late = 0
        self._thread = Thread()

    def by_learner(self):
        """Whether the learner's code runs here, and not as a task in the worker."""
        frame = None if current_worker_task() else sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != self.learner_file:
            frame = frame.f_back
        return frame is not None

    @contextlib.contextmanager
    def of_follow(self):
        """End a `follow` that goes on when there is nothing more to see."""
        self._following = True
        yield
        self._following = False

    def _check_end(self):
        if self._following and not self._watch.open_messages():
            self._too_late += 1
            if self._too_late > PATIENCE:  # not an Exception, which the learner might catch
                state = self.stored[-1] if self.stored else "PENDING"
                pytest.fail(f"The album has ended with {state}, and `follow` still goes on.")

    def _read(self):
        self._check_end()
        self.reads += 1
        here = self._thread
        if here.paused and here.reads:
            self.shortest_pause = min(self.shortest_pause, here.paused)
        here.reads = 1 if here.paused else here.reads + 1
        here.paused = 0.0
        self.most_at_once = max(self.most_at_once, here.reads)

    def _pause(self, seconds):
        self._check_end()
        if seconds > 0:
            self.pauses += 1
            self._thread.paused += seconds

    @contextlib.contextmanager
    def pauses_noted(self):
        """Note pauses and keep them brief. To begin before the learner imports `sleep`."""
        sleep, wait = time.sleep, threading.Event.wait

        def noted_sleep(seconds):
            if not self._thread.in_get and self.by_learner():
                self._pause(seconds)
                seconds = min(seconds, BRIEF)
            sleep(seconds)

        def noted_wait(event, timeout=None):
            if timeout is not None and not self._thread.in_get and self.by_learner():
                self._pause(timeout)
                timeout = _brief(timeout)
            return wait(event, timeout)

        with (
            mock.patch.object(time, "sleep", noted_sleep),
            mock.patch.object(threading.Event, "wait", noted_wait),
        ):
            yield

    @contextlib.contextmanager
    def reads_noted(self):
        """Note reads, and what is stored."""
        celerys_read, celerys_store = RedisBackend._get_task_meta_for, RedisBackend.store_result
        look = AsyncResult._get_task_meta
        here = self._thread

        def read(backend, task_id):
            if here.changing or not self.by_learner():
                return celerys_read(backend, task_id)
            if not here.in_get:
                self._read()
            meta = celerys_read(backend, task_id)
            here.changing = True
            self.after_each_read()
            here.changing = False
            return meta

        def store(backend, task_id, result, state, *args, **kwargs):
            self.stored.append(state)
            stored = celerys_store(backend, task_id, result, state, *args, **kwargs)
            self.after_each_store(state)
            return stored

        def noted_look(result):
            if self.by_learner():
                self._check_end()  # it may be a look into the cache of `result`
            return look(result)

        with (
            mock.patch.object(RedisBackend, "_get_task_meta_for", read),
            mock.patch.object(RedisBackend, "store_result", store),
            mock.patch.object(AsyncResult, "_get_task_meta", noted_look),
        ):
            yield

    @contextlib.contextmanager
    def gets_noted(self):
        """Note `get`: one read, and a pause as long as its time-out."""
        wait, here = BaseResultConsumer._wait_for_pending, self._thread

        def noted_get(consumer, result, timeout=None, on_interval=None, **kwargs):
            if not self.by_learner():
                yield from wait(consumer, result, timeout, on_interval, **kwargs)
                return

            def at_each_step():
                if timeout is None:
                    self._pause(math.inf)  # it goes on only when there is news
                if on_interval:
                    on_interval()

            self._read()
            here.in_get = True
            try:
                yield from wait(consumer, result, _brief(timeout), at_each_step, **kwargs)
            finally:
                here.in_get = False
                self._pause(timeout or 0)

        with mock.patch.object(BaseResultConsumer, "_wait_for_pending", noted_get):
            yield


def _brief(timeout):
    """A shorter time-out for those who wait again and again; a long one is left alone."""
    return min(timeout, BRIEF) if timeout and timeout <= 1 else timeout


class Studio:
    """Stands before each photo: the worker goes on when the test lets it."""

    def __init__(self, watch):
        self._watch, self._let_go = watch, 0
        self.arrived = 0
        self._open = threading.Event()
        self._may_go = lambda number: number <= self._let_go

    def before_photo(self, _=None):
        """Called in the worker's thread, which it holds."""
        self.arrived += 1
        number = self.arrived
        while not self._open.is_set() and not self._may_go(number):
            self._open.wait(BRIEF / 4)

    def open(self):
        """Hold the worker no longer."""
        self._open.set()

    def hold_until(self, may_go):
        """Hold the worker before each photo until `may_go(number of the photo)`."""
        self._may_go = may_go

    def each_photo(self):
        """Yield while the worker stands before a photo, until no photo comes any more."""
        while self._watch.until(lambda: self.arrived > self._let_go):
            yield
            self._let_go += 1


@pytest.fixture
def looks(watch):
    """How the learner's code looks at the back end: see `Looks`."""
    looks = Looks(watch)
    with looks.pauses_noted():
        yield looks


@pytest.fixture
def kata(looks, kata):
    """The learner's module, with its looks counted."""
    looks.learner_file = kata.__file__
    with looks.reads_noted(), looks.gets_noted():
        yield kata


@pytest.fixture
def studio(kata, watch, caplog):  # noqa: ARG001 - the module studio is there with the kata
    """Holds the worker before each photo: see `Studio`."""
    studio = Studio(watch)
    importlib.import_module("studio").before_photo = studio.before_photo
    yield studio
    with caplog.at_level(logging.CRITICAL, "celery.app.trace"):  # of a test that has failed
        studio.open()
        watch.settle()


@pytest.fixture
def send(kata):
    """`send(photo_ids)` sends `render_album` and returns its AsyncResult."""

    def send_album(photo_ids):
        if "tasks.render_album" not in kata.app.tasks:
            with contextlib.suppress(TypeError, AttributeError):  # what NotImplementedError is not
                kata.render_album([])
            pytest.fail("`render_album` is not a task of `app`.")
        return kata.render_album.delay(photo_ids)

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

        def when_all_are_done(state):
            if state == "PROGRESS" and studio.arrived == len(photo_ids):
                studio.before_photo()

        studio.hold_until(may_go)
        looks.after_each_store = when_all_are_done
        result = send(photo_ids)
        with looks.of_follow():
            return told, kata.follow(result, told.append)

    return follow
