"""Writes the timeline: turns Celery's signals into events, in any process.

Besides the signals it notes what Celery has no signal for: the learner's code looks at a
result, waits for one, or updates the state of its task.
"""

from __future__ import annotations

import copy
import functools
import math
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from traceback import extract_tb
from typing import Any, Protocol

from celery import Task, _state, signals
from celery.app.amqp import AMQP
from celery.exceptions import Reject
from celery.result import AsyncResult

from dojo.evidence.messages import first_of
from dojo.evidence.timeline import REQUEUED, Event


class Sink(Protocol):
    """Where events go: a `Timeline`, or a `Journal` in a worker process."""

    def record(self, event: Event) -> None: ...

    def published(self, sent: Event) -> None: ...


class Recorder:
    """Listens to Celery between `attach` and `detach`, or as a context manager.

    Args:
        sink: gets the events.
        learner_files: the files whose reading of results is noted.
        on_started: called in the worker's thread when a task is about to run; it may block.
    """

    def __init__(
        self,
        sink: Sink,
        learner_files: Iterable[str] = (),
        on_started: Callable[[Event], None] | None = None,
    ) -> None:
        self._sink = sink
        self._learner_files = frozenset(learner_files)
        self._on_started = on_started
        self._reads: set[tuple[str, str, str | None]] = set()
        self._nodes: dict[str, str] = {}  # task id: the worker that took its message
        self._countdowns: dict[str, float | None] = {}  # of messages that are being sent
        self._sending = threading.local()  # `event` is the message that this thread sends
        self._running = threading.local()  # `succeeded` tells of the task that this thread runs
        self._celerys_makers = {name: getattr(AMQP, name) for name in ("as_task_v1", "as_task_v2")}
        self._celerys_update = Task.update_state
        self._listeners = {
            signals.before_task_publish: self._before_publish,
            signals.after_task_publish: self._after_publish,
            signals.task_received: self._received,
            signals.task_prerun: self._prerun,
            signals.task_retry: self._retry,
            signals.task_success: self._success,
            signals.task_failure: self._failure,
            signals.task_revoked: self._revoked,
            signals.task_rejected: self._rejected,
            signals.task_unknown: self._unknown,
            signals.task_postrun: self._postrun,
        }

    def attach(self) -> None:
        """Begin to listen. An app that has sent messages already is heard only in part."""
        for name, make in self._celerys_makers.items():
            setattr(AMQP, name, self._maker(make))
        Task.update_state = self._update_state()
        for signal, listener in self._listeners.items():
            signal.connect(listener, weak=False)

    def detach(self) -> None:
        """Stop listening."""
        for name, make in self._celerys_makers.items():
            setattr(AMQP, name, make)
        Task.update_state = self._celerys_update
        for signal, listener in self._listeners.items():
            signal.disconnect(listener)

    def __enter__(self) -> Recorder:
        self.attach()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.detach()

    def _maker(self, make: Callable[..., Any]) -> Callable[..., Any]:
        """Celery's maker of messages; a message only tells the ETA, so we note the countdown."""

        @functools.wraps(make)  # an error of Celery's must not name ours
        def as_task(
            amqp: AMQP,
            task_id: str,
            name: str,
            args: Any = None,
            kwargs: Any = None,
            countdown: float | None = None,
            eta: datetime | None = None,
            *more: Any,
            **options: Any,
        ) -> Any:
            self._countdowns[task_id] = _seconds_until(eta) if countdown is None else countdown
            return make(amqp, task_id, name, args, kwargs, countdown, eta, *more, **options)

        return as_task

    def _update_state(self) -> Callable[..., None]:
        update = self._celerys_update

        @functools.wraps(update)
        def update_state(
            task: Task, task_id: str | None = None, state: Any = None, meta: Any = None, **more: Any
        ) -> None:
            update(task, task_id, state, meta, **more)
            of = task_id or task.request.id
            self._sink.record(self._of_running("update", task, of, state=str(state), meta=meta))

        return update_state

    # -- results that the learner's code looks at, or waits for --------------------------

    def note_read(self, result: AsyncResult, kind: str) -> None:
        """Note a "look" at `result`, or a "wait" for it, unless somebody else does it."""
        task = current_worker_task()
        reader = task.request.id if task else None
        known = {(kind, result.id, reader), ("wait", result.id, reader)}  # who waits looks, too
        if known & self._reads or not self.learner_calls():
            return
        self._reads.add((kind, result.id, reader))
        event = Event(kind, getattr(task, "name", ""), result.id, reader=reader)
        event.worker = self._node(task.request.id, task.request) if task else None
        event.root_id = first_of(result).id
        self._sink.record(event)

    def learner_calls(self) -> str | None:
        """The learner's function that is among the callers of the running one, or None.

        If there are several, it is the one that the others were called from.
        """
        frame, name = sys._getframe(1), None
        while frame is not None:
            if frame.f_code.co_filename in self._learner_files:
                name = frame.f_code.co_name
            frame = frame.f_back  # type: ignore[assignment]
        return name

    # -- signals ------------------------------------------------------------------------

    def _before_publish(self, sender: str, headers: dict[str, Any], **info: Any) -> None:
        if isinstance(body := info["body"], dict):  # of the protocol of Celery 3: all in one
            headers, body = body, (body["args"], body["kwargs"], {"chord": body.get("chord")})
        args, kwargs, embed = body
        queues = info.get("declare") or ()
        properties = info.get("properties") or {}
        exchange = info.get("exchange")
        task = current_worker_task()
        self._sending.event = Event(
            "sent",
            str(sender),  # whatever the learner has put where a signature is due
            headers["id"],
            args=_kept(tuple(args)),
            kwargs=_kept(dict(kwargs)),
            queue=getattr(queues[0], "name", None) if queues else info.get("routing_key"),
            routing_key=info.get("routing_key"),
            exchange=getattr(exchange, "name", exchange),
            priority=properties.get("priority"),
            eta=headers.get("eta"),
            countdown=self._countdowns.pop(headers["id"], None),
            expires=headers.get("expires"),
            parent_id=headers.get("parent_id"),
            root_id=headers.get("root_id"),
            group_id=headers.get("group"),
            chord=bool(embed.get("chord")),
            retries=headers.get("retries") or 0,
            worker=self._node(task.request.id, task.request) if task else None,
        )
        self._sink.record(self._sending.event)

    def _after_publish(self, **_: Any) -> None:
        # A retry has the same id, and may have been sent meanwhile by a worker's thread.
        self._sink.published(self._sending.event)

    def _received(self, request: Any, **_: Any) -> None:
        self._nodes[request.id] = request.hostname
        self._sink.record(Event("received", request.name, request.id, worker=request.hostname))

    def _prerun(self, task: Any, task_id: str, args: Any, kwargs: Any, **_: Any) -> None:
        event = self._of_running(
            "started", task, task_id, args=_kept(tuple(args)), kwargs=_kept(dict(kwargs))
        )
        self._sink.record(event)
        if event.eager:
            return
        self._running.succeeded = False
        if self._on_started:
            self._on_started(event)

    def _retry(self, sender: Any, request: Any, reason: Any, **_: Any) -> None:
        self._sink.record(self._of_running("retried", sender, request.id, error=_described(reason)))

    def _success(self, sender: Any, **_: Any) -> None:
        event = self._of_running("succeeded", sender, sender.request.id)
        self._sink.record(event)
        self._running.succeeded = not event.eager

    def _failure(self, sender: Any, task_id: str, exception: Any, **_: Any) -> None:
        frames = extract_tb(getattr(exception, "__traceback__", None))
        places = [None, *((f.filename, f.lineno or 0) for f in frames)]
        mine = [place for place in places if place is None or place[0] in self._learner_files]
        failed = self._of_running("failed", sender, task_id, error=_described(exception))
        failed.where, failed.raised_at = mine[-1], places[-1]
        self._sink.record(failed)
        if getattr(self._running, "stumbled", None) == task_id:
            self._running.stumbled = None
            self._sink.record(self._of_running("finished", sender, task_id, state="FAILURE"))

    def _revoked(self, sender: Any, request: Any, **info: Any) -> None:
        why = "it expired" if info.get("expired") else "it was revoked"
        self._sink.record(
            Event("revoked", sender.name, request.id, worker=request.hostname, error=why)
        )

    def _rejected(self, message: Any, exc: Any = None, **_: Any) -> None:
        headers = message.headers or {}
        error = _described(exc) if exc else None
        name, task_id = headers.get("task", ""), headers.get("id", "")
        self._sink.record(Event("rejected", name, task_id, error=error))

    def _unknown(self, name: str, id: str, **_: Any) -> None:  # noqa: A002 - Celery's word
        self._sink.record(Event("unknown", name, id))

    def _postrun(self, task: Any, task_id: str, state: Any, retval: Any, **_: Any) -> None:
        if state == "SUCCESS" and not task.request.is_eager and not self._running.succeeded:
            # The function returned, but what comes next in a chain could not be sent. Celery
            # will store that as a failure, after this signal: the task is not finished yet.
            self._running.stumbled = task_id
            return
        if isinstance(retval, Reject) and retval.requeue:
            state = REQUEUED
        self._sink.record(self._of_running("finished", task, task_id, state=state))

    def _of_running(self, kind: str, task: Any, task_id: str, **more: Any) -> Event:
        request = task.request
        delivery = request.delivery_info or {}
        return Event(
            kind,
            task.name,
            task_id,
            routing_key=delivery.get("routing_key"),
            priority=delivery.get("priority"),
            parent_id=request.parent_id,
            root_id=request.root_id,
            group_id=request.group,
            chord=bool(request.chord),
            retries=request.retries or 0,
            acks_late=bool(task.acks_late),
            worker=self._node(task_id, request),
            eager=bool(request.is_eager),
            **more,
        )

    def _node(self, task_id: str, request: Any) -> Any:
        # Outside the prefork pool Celery puts the name of the machine into the request.
        return self._nodes.get(task_id, request.hostname)


def _kept(arguments: Any) -> Any:
    """A copy: the task may change what it was handed."""
    try:
        return copy.deepcopy(arguments)
    except Exception:  # an eager task may be handed anything
        return arguments


def _seconds_until(eta: object) -> float | None:
    if not isinstance(eta, datetime):
        return None
    # Some time has passed since the sender looked at the clock: it asked for no less.
    return math.ceil((eta - datetime.now(eta.tzinfo)).total_seconds())


def _described(error: object) -> str:
    return f"{type(error).__name__}: {error}"


def current_worker_task() -> Any:
    """The task that a worker runs in this thread, or None. A direct call does not count."""
    task = _state.get_current_worker_task()
    return None if task is None or task.request.is_eager else task
