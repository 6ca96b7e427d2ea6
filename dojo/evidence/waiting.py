"""Wait for a result, or find out that it can never come.

Celery's own `get()` waits for ever when nobody will store the result. `Watch` knows the
open messages and the workers that read their queues, so it can tell when nothing more
can happen, and says why. No clock is involved.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from dojo.evidence import messages
from dojo.evidence.messages import Message, Reader
from dojo.evidence.recorder import current_worker_task
from dojo.evidence.timeline import Event, Timeline

#: A task that came to one of these has said how it ended.
TELLING = frozenset({"succeeded", "failed", "retried", "revoked", "rejected"})
LAST_LOOKS = 150  # at a task whose result is there: its end is near, but nothing hangs on it
LONGEST_COUNTDOWN = 5.0  # seconds: what is due later does not come while a test runs
STEP = 0.02  # seconds between two looks while nothing wakes the waiter


class NeverReady(AssertionError):
    """Somebody waits for something that cannot come. The message says why."""


class Watch:
    """What can still happen in one test."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.readers: list[Reader] = []
        self.skips_countdowns = False  # do workers treat every ETA as due?
        self._over = False
        self._more_to_come = False
        self._given_up = ""  # why nothing is waited for any more
        self._waiting_outside = 0  # how many wait that are not tasks: the test itself
        self._standing: dict[str, Callable[[], object]] = {}  # task id: can it go on?
        self._held: set[str] = set()  # ids of the tasks that a gate holds
        self._gates: list[tuple[Callable[[Event], bool], Callable[[], object]]] = []

    def close(self) -> None:
        """The test is over: let everybody go who still waits."""
        self._over = True

    def give_up(self, why: str) -> None:
        """Let everybody go who waits now or later in this test: something is out of order."""
        self._given_up = why

    def expect_more(self) -> None:
        """The test stores results itself: what is waited for may come without a message."""
        self._more_to_come = True

    @property
    def test_waits(self) -> bool:
        """Whether the test itself waits, and not only tasks."""
        return self._waiting_outside > 0

    # -- what is open -----------------------------------------------------------------

    def open_messages(self) -> list[Message]:
        """Every message that is queued or runs, oldest first."""
        return messages.still_open(self.timeline.events(), self.readers)

    def obstacle(self, wanted: str = "") -> str | None:
        """Why nothing more can happen, or None while something still can.

        Args:
            wanted: the id of the task that is waited for, if it is one.
        """
        if self._over:
            return "The test is over."
        if self._given_up:
            return self._given_up
        task = current_worker_task()
        if self._more_to_come or (task and not self._waiting_outside):
            return None  # the test goes on, and may send or store more
        open_now = self.open_messages()
        readers = [reader for reader in self.readers if reader.alive()]
        if self._some_task_goes_on(open_now, task) or self._some_begins(open_now, readers):
            return None
        return "\n".join(self._reasons(wanted, open_now, readers))

    def _some_task_goes_on(self, open_now: list[Message], task: Any) -> bool:
        running = [message.running.id for message in open_now if message.running]
        at_gate = task and task.request.id in self._held  # who asks is about to be let go
        return any(map(self._moves, running)) or (
            not at_gate and any(task_id in self._held for task_id in running)
        )

    def _some_begins(self, open_now: list[Message], readers: list[Reader]) -> bool:
        waiting = [m for m in open_now if not (m.running or m.lost or self._is_far(m))]
        return any(
            message.queue in reader.queues and messages.has_room(reader, open_now)
            for message in waiting
            for reader in readers
        )

    def _reasons(
        self, wanted: str, open_now: list[Message], readers: list[Reader]
    ) -> Iterator[str]:
        if silent := self._silent_end(wanted) if not readers or not open_now else "":
            yield silent
        if ended := bool(self.readers and not readers):
            told = [text for reader in self.readers if (text := reader.error())]
            errors = [] if silent else told  # Celery stumbles over a sys.exit()
            yield " ".join(["The worker has ended.", *errors[:1]])
        for m in open_now[:3]:
            yield messages.due(m) if self._is_far(m) else messages.why(m, readers)
        if not (silent or ended or open_now):
            yield "Nothing is queued and nothing runs."

    def _is_far(self, message: Message) -> bool:
        """Whether it waits for a time that no test waits for."""
        late = (message.sent.countdown or 0) > LONGEST_COUNTDOWN
        return late and not self.skips_countdowns and not message.running

    def _silent_end(self, wanted: str) -> str:
        """What to say of a task that ended without a word: of the wanted one, or of the last."""
        events = self.timeline.events()
        if refused := next((e for e in events if e.id == wanted and e.kind == "rejected"), None):
            by_setting = "ContentDisallowed" in (refused.error or "")
            did = "refused it (accept_content)" if by_setting else "threw it away"
            return f"A worker took the message and {did}: {refused.error}"
        told = {event.id for event in events if event.kind in TELLING}
        ends = {e.id: e for e in events if e.kind == "finished" and e.id not in told}
        started = [e for e in events if e.kind == "started" and not e.eager and e.id in ends]
        task = next((e for e in started if e.id == wanted), started[-1] if started else None)
        return f"{task.call} {messages.how_silent(ends[task.id])}" if task else ""

    def busy(self) -> list[Message]:
        """The messages whose tasks run, and neither wait for something nor are held.

        Those of other processes count only while the test waits: it may well leave one
        running that never ends.
        """
        still = self._standing.keys() | self._held
        here = os.getpid()
        return [
            m
            for m in self.open_messages()
            if m.running and m.sent.id not in still and (self.test_waits or m.running.pid == here)
        ]

    def _moves(self, task_id: str) -> bool:
        can_go_on = self._standing.get(task_id)
        return can_go_on is None or bool(can_go_on())

    # -- waiting ----------------------------------------------------------------------

    @contextlib.contextmanager
    def standing(self, can_go_on: Callable[[], object]) -> Iterator[None]:
        """The caller waits while this lasts; `can_go_on` tells when its wait is over."""
        task = current_worker_task()
        if task is None:
            self._waiting_outside += 1
        else:
            self._standing[task.request.id] = can_go_on
        try:
            yield
        finally:
            if task is None:
                self._waiting_outside -= 1
            else:
                self._standing.pop(task.request.id, None)

    def until(self, happened: Callable[[], object], looks: int | None = None) -> bool:
        """Wait until `happened()` is true; return False if it can never come true.

        Args:
            looks: give up after this many looks, with `STEP` between them; None never does.
        """
        with self.standing(happened):
            while not happened():
                seen = len(self.timeline)
                if self.obstacle() is not None or looks == 0:
                    return bool(happened())
                self.timeline.wait(seen, STEP)
                looks = None if looks is None else looks - 1
        return True

    def ended(self, ids: set[str]) -> None:
        """Wait for the last events of these tasks. Celery stores a result before it sends them."""

        def over() -> bool:
            return not any(m.running and m.sent.id in ids for m in self.open_messages())

        self.until(over, LAST_LOOKS)

    def settle(self, looks: int | None = None) -> None:
        """Wait until every message that a worker can still run has been dealt with."""
        self.until(lambda: False, looks)
        if self._given_up and not self._over:
            raise NeverReady(self._given_up)

    def let_go(self, looks: int) -> None:
        """End the test: what runs may finish, and who waits for what never comes is let go.

        A worker that is stopped earlier leaves threads that talk to a server which is gone.
        """
        with contextlib.suppress(NeverReady):
            self.settle(looks)
        self.close()
        left = [message.running for message in self.busy()]
        while not self._given_up and any(message.running in left for message in self.busy()):
            self.timeline.wait(len(self.timeline), STEP)

    # -- gates ------------------------------------------------------------------------

    def hold(self, matches: Callable[[Event], bool], until: Callable[[], object]) -> None:
        """Hold tasks at their start until a condition is true, or can never come true.

        Args:
            matches: is told the "started" event and says whether this task is held.
            until: the condition.
        """
        self._gates.append((matches, until))

    @property
    def holds_a_task(self) -> bool:
        """Whether a task stands at a gate now."""
        return bool(self._held)

    def pass_gates(self, started: Event) -> None:
        """Return when no gate holds this task any more. Called in the worker's thread."""
        for matches, until in self._gates:
            if matches(started):
                self._held.add(started.id)
                try:
                    self.until(until)
                finally:
                    self._held.discard(started.id)
