"""For the tests: how the learner's code looks at the result back end, and how it pauses."""

import contextlib
import functools
import math
import sys
import threading
import time

import pytest
from celery.backends.asynchronous import BaseResultConsumer
from celery.backends.redis import RedisBackend
from celery.exceptions import TimeoutError
from celery.result import AsyncResult

from dojo.evidence.recorder import current_worker_task

BRIEF = 0.02  # seconds that a pause of the learner's code really takes
PATIENCE = 30  # looks and pauses of `follow` after the album has ended
CLOCKS = "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"


class Thread(threading.local):
    """What one thread does."""

    reads = 0  # since its last pause
    paused = 0.0  # seconds asked for since its last read
    has_paused = False
    pages = 0  # calls of `status` since its last pause
    in_status = False
    questions = 0  # other reads since its last pause
    clock_reads = 0  # since its last pause
    in_get = False  # Celery reads and waits by itself
    changing = False  # a test changes what is stored


class Looks:
    """How the learner's code looks at the result back end, and how it pauses in between."""

    def __init__(self, watch):
        self.reads = self.pauses = 0
        self.most_at_once = 0  # reads without any pause
        self.most_looks = 0  # between two pauses: calls of `status`, or questions to `result`
        self.shortest_pause = math.inf  # seconds asked for, between two reads
        self.after_each_read = lambda: None
        self.after_each_store = lambda _: None
        self.stored = []  # the states that anybody has stored
        self.stored_by_hand = []  # those that the learner's code has stored
        self.learner_file = None
        self._watch = watch
        self._following = False
        self._too_late = 0
        self._passed = 0.0  # seconds of pauses, as asked for
        self._thread = Thread()

    def _by_hand(self):
        """Whether the learner's code runs here."""
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != self.learner_file:
            frame = frame.f_back
        return frame is not None

    def by_learner(self):
        """Whether the learner's code runs here, and not as a task in the worker."""
        return not current_worker_task() and self._by_hand()

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
        if seconds <= 0:
            return
        self.pauses += 1
        here = self._thread
        if here.has_paused:  # before the first pause `follow` may look around
            self.most_looks = max(self.most_looks, here.pages, here.questions)
        here.has_paused = True
        here.pages = here.questions = here.clock_reads = 0
        here.paused += seconds
        if seconds < math.inf:
            self._passed += seconds

    def _clock(self, name):
        """A clock on which nothing but the pauses of the learner's code takes time.

        So INTERVAL minus what a look has taken is INTERVAL, however busy this computer is.
        """
        clock, here = getattr(time, name), self._thread
        begin = clock()
        second = 10**9 if name.endswith("_ns") else 1

        def noted_clock():
            if sys._getframe(1).f_code.co_filename != self.learner_file:
                return clock()
            here.clock_reads += 1
            if here.clock_reads > 100:  # a loop waits for the clock, and must come to an end
                self._passed += BRIEF
            return begin + type(begin)(self._passed * second)

        return noted_clock

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

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "sleep", noted_sleep)
            patch.setattr(threading.Event, "wait", noted_wait)
            for name in CLOCKS:
                patch.setattr(time, name, self._clock(name))
            yield

    def noted_status(self, status):
        """`status`, with its calls counted: all that one call reads is one look."""
        here = self._thread

        @functools.wraps(status)
        def noted(*args, **kwargs):
            here.pages += 1
            here.in_status = True
            try:
                return status(*args, **kwargs)
            finally:
                here.in_status = False

        return noted

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
                here.questions += not here.in_status
                self._read()
            meta = celerys_read(backend, task_id)
            here.changing = True
            self.after_each_read()
            here.changing = False
            return meta

        def store(backend, task_id, result, state, *args, **kwargs):
            self.stored.append(state)
            if not here.changing and self._by_hand():
                self.stored_by_hand.append(state)
            stored = celerys_store(backend, task_id, result, state, *args, **kwargs)
            self.after_each_store(state)
            return stored

        def noted_look(result):
            if self.by_learner():
                self._check_end()  # it may be a look into the cache of `result`
            return look(result)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RedisBackend, "_get_task_meta_for", read)
            patch.setattr(RedisBackend, "store_result", store)
            patch.setattr(AsyncResult, "_get_task_meta", noted_look)
            yield

    @contextlib.contextmanager
    def gets_noted(self):
        """Note `get`: one read, and a pause as long as its time-out if nothing came."""
        wait, here = BaseResultConsumer._wait_for_pending, self._thread

        def noted_get(consumer, result, timeout=None, on_interval=None, **kwargs):
            if not self.by_learner():
                yield from wait(consumer, result, timeout, on_interval, **kwargs)
                return

            def at_each_step():
                if timeout is None and not result._cache:
                    self._pause(math.inf)  # it goes on only when there is news
                if on_interval:
                    on_interval()

            self._read()
            here.in_get = True
            try:
                yield from wait(consumer, result, _brief(timeout), at_each_step, **kwargs)
            except TimeoutError:
                self._pause(timeout or 0)
                raise
            finally:
                here.in_get = False

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseResultConsumer, "_wait_for_pending", noted_get)
            yield


def _brief(timeout):
    """A shorter time-out for those who wait again and again; a long one is left alone."""
    return min(timeout, BRIEF) if timeout and timeout <= 1 else timeout
