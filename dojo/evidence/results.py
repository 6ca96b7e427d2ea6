"""Celery's results, watched: nobody in this process waits for one that cannot come."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import _state, result
from celery.backends.asynchronous import BaseResultConsumer
from celery.backends.base import SyncBackendMixin
from celery.exceptions import TimeoutError
from celery.result import AsyncResult

from dojo.evidence.messages import first_of
from dojo.evidence.recorder import Recorder, current_worker_task
from dojo.evidence.timeline import Event
from dojo.evidence.waiting import STEP, NeverReady, Watch

POLLS = 10  # looks at one unfinished result: whoever looks so often waits


@contextlib.contextmanager
def watched_results(watch: Watch, recorder: Recorder) -> Iterator[None]:
    """While this lasts, waiting for a result fails as soon as the result can never come.

    Celery still does the waiting. It looks up more often, and at each look we read the
    stored result again (one that is stored between Celery's GET and its SUBSCRIBE is never
    announced) and ask `watch`. Reads by the learner's code are noted.
    """
    waiter = _Waiter(watch, recorder)
    celerys_wait = BaseResultConsumer._wait_for_pending
    celerys_looking = SyncBackendMixin.wait_for_pending
    celerys_look, celerys_forget = AsyncResult._get_task_meta, AsyncResult.forget

    def wait_for_pending(
        self: Any, waited_for: Any, timeout: Any = None, on_interval: Any = None, **kw: Any
    ) -> Any:
        leaves = list(_leaves(waited_for))
        look = waiter.begin(self, waited_for, leaves, timeout, on_interval)
        with watch.standing(lambda: all(map(_stored, leaves))):
            yield from celerys_wait(self, waited_for, timeout=timeout, on_interval=look, **kw)
        watch.ended({leaf.id for leaf in leaves})

    def wait_by_looking(
        self: Any, result: Any, timeout: Any = None, interval: Any = None, **kw: Any
    ) -> Any:
        del interval  # back ends that announce nothing are asked again and again
        kw["on_interval"] = waiter.begin_to_look(result, timeout, kw.get("on_interval"))
        with watch.standing(lambda: _stored(result)):
            found = celerys_looking(self, result, timeout=timeout, interval=STEP, **kw)
        watch.ended({result.id})
        return found

    def drain_events_until(
        self: Any, ready: Any, timeout: Any = None, on_interval: Any = None
    ) -> Any:
        return self.drainer.drain_events_until(
            ready, timeout=timeout, interval=STEP, on_interval=on_interval
        )

    def get_task_meta(self: AsyncResult) -> Any:
        meta = celerys_look(self)
        if recorder.learner_calls():
            waiter.looked_at(self, meta)
        return meta

    def forget(self: AsyncResult) -> None:
        waiter.forgotten.add(self.id)
        celerys_forget(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AsyncResult, "forget", forget)
        patch.setattr(BaseResultConsumer, "_wait_for_pending", wait_for_pending)
        patch.setattr(SyncBackendMixin, "wait_for_pending", wait_by_looking)
        patch.setattr(BaseResultConsumer, "drain_events_until", drain_events_until)
        patch.setattr(AsyncResult, "_get_task_meta", get_task_meta)
        yield


class _Waiter:
    """Looks after those who wait for results, or poll them."""

    def __init__(self, watch: Watch, recorder: Recorder) -> None:
        self._watch, self._recorder = watch, recorder
        self.forgotten: set[str] = set()  # ids of results that were thrown away
        self._polls: dict[str, tuple[int, int]] = {}  # result id: events seen, looks since
        self._looks: Counter[str] = Counter()  # at each result, while it was not there

    def begin(
        self,
        consumer: Any,
        waited_for: Any,
        leaves: list[AsyncResult],
        timeout: Any,
        on_interval: Any,
    ) -> Callable[[], None]:
        """Somebody begins to wait; return what Celery is to call at each look."""
        for leaf in leaves:
            self._recorder.note_read(leaf, "wait")
            if leaf.id in self.forgotten:
                what = self._for_what(leaf)
                raise NeverReady(f"{self._who()} {what}\nforget() has thrown it away.")

        def look() -> None:
            if on_interval:
                on_interval()
            # In the order in which they were stored, as if Celery had announced each of them.
            for leaf in sorted(filter(_unseen, leaves), key=self._when_ended):
                meta = leaf.backend.get_task_meta(leaf.id)
                consumer.on_state_change(meta, None)
                # Celery 5.3 does not tell the header of a chord: it knows other objects for
                # the same results.
                leaf._maybe_set_cache(meta)
            if not waited_for.on_ready.ready and all(leaf._cache is not None for leaf in leaves):
                waited_for.on_ready(waited_for)
            self._check(leaves, with_timeout=timeout is not None)

        return look

    def begin_to_look(
        self, result: AsyncResult, timeout: Any, on_interval: Any
    ) -> Callable[[], None]:
        """The same for a back end that announces nothing, such as a database."""
        self._recorder.note_read(result, "wait")

        def look() -> None:
            if on_interval:
                on_interval()
            self._check([result], with_timeout=timeout is not None)

        return look

    def _when_ended(self, result: AsyncResult) -> int:
        places = (n for n, e in enumerate(self._watch.timeline.events()) if _ends(e, result))
        return next(places, sys.maxsize)

    def looked_at(self, result: AsyncResult, meta: Any) -> None:
        """The learner's code looked at a result; a loop of looks is waiting, too."""
        self._recorder.note_read(result, "look")
        if meta["status"] in result.backend.READY_STATES:
            return
        self._looks[result.id] += 1
        if self._looks[result.id] == POLLS:
            self._recorder.note_read(result, "wait")
        events, (seen, looks) = len(self._watch.timeline), self._polls.get(result.id, (0, 0))
        looks = looks + 1 if seen == events else 1
        self._polls[result.id] = (events, looks)
        if looks >= POLLS:
            with self._watch.standing(lambda: _stored(result)):
                if self._watch.holds_a_task:  # give its gate time to see that we only wait
                    self._watch.timeline.wait(events, 2 * STEP)
                self._check([result])

    def _check(self, results: list[AsyncResult], with_timeout: bool = False) -> None:
        if self._watch.obstacle() is None:
            return
        missing = next((r for r in results if not _stored(r)), None)
        if missing is None:
            return
        if with_timeout:  # nothing will happen in that time, so it may as well be over
            raise TimeoutError(f"{self._who()} for {self._named(missing)}, until its time-out.")
        if (why := self._watch.obstacle(wanted=missing.id)) is None:
            return
        raise NeverReady(f"{self._who()} {self._for_what(missing)}\n{why}")

    def _who(self) -> str:
        task = current_worker_task()
        if task is not None:
            return f"{task.name} waits inside the worker"
        function = self._recorder.learner_calls()
        return f"`{function}` waits" if function else "The test waits"

    def _named(self, result: AsyncResult) -> str:
        if sent := self._sent(result):
            return f"the result of {sent.call}"
        first = self._sent(first_of(result))
        return (
            f"a result that comes after {first.call}"
            if first
            else "a result that was not sent here"
        )

    def _for_what(self, result: AsyncResult) -> str:
        if sent := self._sent(result):
            return f"for the result of {sent.call}. It can never come."
        if first := self._sent(first_of(result)):
            return f"for the result of a later step, which is sent when {first.call} has ended."
        return "for a result that can never come: no message with its id was sent."

    def _sent(self, result: AsyncResult) -> Event | None:
        """The last message of the task with this result."""
        sent = [event for event in self._watch.timeline.sent() if event.id == result.id]
        return sent[-1] if sent else None


def _stored(result: AsyncResult) -> bool:
    """Whether the result is there, read from the back end and not from the object's cache."""
    return result.backend.get_task_meta(result.id)["status"] in result.backend.READY_STATES


def _unseen(result: AsyncResult) -> bool:
    """Whether the result is there, and its object does not know yet."""
    return result._cache is None and _stored(result)


def _ends(event: Event, result: AsyncResult) -> bool:
    return event.id == result.id and event.kind in ("succeeded", "failed")


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

    def nothing(_: AsyncResult) -> None:
        pass

    AsyncResult.__del__ = nothing


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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(result, "assert_will_not_block", assert_will_not_block)
        try:
            yield
        finally:
            _state._set_task_join_will_block(flag)
