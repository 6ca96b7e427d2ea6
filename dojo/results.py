"""Celery's results, watched: nobody in this process waits for one that cannot come."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from celery import _state, result
from celery.backends.asynchronous import BaseResultConsumer
from celery.result import AsyncResult

from dojo.recorder import Recorder, current_worker_task
from dojo.waiting import STEP, NeverReady, Watch

POLLS = 10  # looks at one unfinished result, with nothing happening in between


@contextlib.contextmanager
def watched_results(watch: Watch, recorder: Recorder) -> Iterator[None]:
    """While this lasts, waiting for a result fails as soon as the result can never come.

    Celery still does the waiting. It looks up more often, and at each look we read the
    stored result again (one that is stored between Celery's GET and its SUBSCRIBE is never
    announced) and ask `watch`. Reads by the learner's code are noted.
    """
    wait = BaseResultConsumer._wait_for_pending
    get_meta = AsyncResult._get_task_meta
    polls: dict[str, tuple[int, int]] = {}  # result id: events seen, looks since then

    def wait_for_pending(
        self: Any, waited_for: Any, timeout: Any = None, on_interval: Any = None, **kw: Any
    ) -> Any:
        leaves = list(_leaves(waited_for))
        for leaf in leaves:
            recorder.note_read(leaf)

        def look() -> None:
            if on_interval:
                on_interval()
            for leaf in leaves:
                if leaf._cache is None and _stored(leaf):
                    self.on_state_change(leaf.backend.get_task_meta(leaf.id), None)
            if timeout is None:
                _check(watch, leaves)

        with watch.standing(lambda: all(map(_stored, leaves))):
            yield from wait(self, waited_for, timeout=timeout, on_interval=look, **kw)

    def drain_events_until(
        self: Any, ready: Any, timeout: Any = None, on_interval: Any = None
    ) -> Any:
        return self.drainer.drain_events_until(
            ready, timeout=timeout, interval=STEP, on_interval=on_interval
        )

    def get_task_meta(self: AsyncResult) -> Any:
        meta = get_meta(self)
        if not recorder.learner_calls():
            return meta
        recorder.note_read(self)
        if meta["status"] not in self.backend.READY_STATES:
            events, looks = len(watch.timeline), polls.get(self.id, (0, 0))
            polls[self.id] = (events, looks[1] + 1 if looks[0] == events else 1)
            if polls[self.id][1] >= POLLS:
                with watch.standing(lambda: _stored(self)):
                    _check(watch, [self])
        return meta

    with (
        mock.patch.object(BaseResultConsumer, "_wait_for_pending", wait_for_pending),
        mock.patch.object(BaseResultConsumer, "drain_events_until", drain_events_until),
        mock.patch.object(AsyncResult, "_get_task_meta", get_task_meta),
    ):
        yield


def _check(watch: Watch, results: list[AsyncResult]) -> None:
    obstacle = watch.obstacle()
    if obstacle is None:
        return
    missing = next((r for r in results if not _stored(r)), None)
    if missing is None:
        return
    sent = [e for e in watch.timeline.sent() if e.id == missing.id]
    call = sent[-1].call if sent else "something that was never sent"
    who = current_worker_task()
    waits = f"{who.name} waits inside the worker" if who else "Somebody waits"
    raise NeverReady(f"{waits} for the result of {call}. It can never come.\n{obstacle}")


def _stored(result: AsyncResult) -> bool:
    """Whether the result is there, read from the back end and not from the object's cache."""
    return result.backend.get_task_meta(result.id)["status"] in result.backend.READY_STATES


def _leaves(result: Any) -> Iterator[AsyncResult]:
    children = getattr(result, "results", None)
    if children is None:
        yield result
    for child in children or ():
        yield from _leaves(child)


def forget_quietly() -> None:
    """Let no result talk to the server when it is garbage collected, for the whole run.

    `AsyncResult.__del__` unsubscribes, which is a network call. The garbage collector may
    run it in any thread: in the server's own thread the call could never be answered.
    """
    AsyncResult.__del__ = lambda self: None


@contextlib.contextmanager
def tasks_may_not_wait() -> Iterator[None]:
    """Let an embedded worker refuse `result.get()` in a task, as the prefork pool does.

    The prefork pool is what runs in production by default. Celery's flag is one for the
    whole process; here the test and the worker share a process, so the thread counts too.
    """
    refuse = result.assert_will_not_block

    def assert_will_not_block() -> None:
        if current_worker_task():
            refuse()

    flag = _state.task_join_will_block()
    _state._set_task_join_will_block(True)
    with mock.patch.object(result, "assert_will_not_block", assert_will_not_block):
        try:
            yield
        finally:
            _state._set_task_join_will_block(flag)
