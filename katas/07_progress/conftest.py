"""What only this kata needs: what the back end is told and asked, and albums that stand still."""

import contextlib
import itertools
import json
import sys
import time
import traceback
import uuid
from inspect import isfunction

import pytest
from celery import Task
from celery.result import AsyncResult
from celery.states import READY_STATES

from dojo.evidence.recorder import current_worker_task

PATIENCE = 30  # reads and pauses after the album has ended


class BackEnd:
    """The result back end of the learner's app: what is stored there, and who reads it."""

    def __init__(self, kata):
        self.diary = []  # (task id, state, value) of each record; ("", "photo", its id) between
        self.by_hand = ""  # a state that a task has stored, though only Celery should
        self.pages, self.albums = [], 0  # what `status` told `follow`; albums that were right
        self.reads = 0  # by the learner's code, outside a worker
        self.after_read = lambda: None  # called when the learner's code has read a record
        self._file, self._class = kata.__file__, type(kata.app.backend)

    def records(self, task_id):
        """What is known of this task, as (state, value), oldest first."""
        return [("PENDING", None), *(entry[1:] for entry in self.diary if entry[0] == task_id)]

    def _callers(self):
        """The names of the learner's functions that run here."""
        codes = (frame.f_code for frame, _ in traceback.walk_stack(None))
        # What they have called to let the album go on is not theirs.
        theirs = itertools.takewhile(lambda code: code.co_name != "go_on", codes)
        return [code.co_name for code in theirs if code.co_filename == self._file]

    @contextlib.contextmanager
    def noted(self):
        """Note what is stored, and what the learner's code reads outside a worker."""
        read, store = self._class._get_task_meta_for, self._class.store_result
        wait, forget = self._class.wait_for_pending, self._class.forget

        def noted_read(backend, task_id):
            meta = read(backend, task_id)
            if not current_worker_task() and self._callers():
                self.reads += 1
                self.after_read()
            return meta

        def noted_store(backend, task_id, result, state, *args, **kwargs):
            if state in READY_STATES and current_worker_task() and self._callers():
                self.by_hand = state
                return result  # and not stored: Celery stumbles over a strange FAILURE
            value = dict(result) if isinstance(result, dict) else result  # it may be used again
            stored = store(backend, task_id, result, state, *args, **kwargs)
            self.diary.append((task_id, state, value))
            return stored

        def noted_wait(backend, result, *args, **kwargs):
            callers, state = self._callers(), read(backend, result.id)["status"]
            if callers and state not in READY_STATES:
                pytest.fail(f"{_blame(callers)} waits for the album. {_in_place(callers, state)}")
            return wait(backend, result, *args, **kwargs)

        def noted_forget(backend, task_id):
            if callers := self._callers():
                pytest.fail(f"{_blame(callers)} removed the result (`forget`). Others need it.")
            return forget(backend, task_id)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self._class, "_get_task_meta_for", noted_read)
            patch.setattr(self._class, "store_result", noted_store)
            patch.setattr(self._class, "wait_for_pending", noted_wait)
            patch.setattr(self._class, "forget", noted_forget)
            yield


def _blame(callers):
    return f"TODO {2 if 'status' in callers else 3}: `{callers[0]}`"


def _in_place(callers, state):
    if "status" in callers:
        return f"It must answer at once: {state}."
    again = " RETRY is no end: the album is run again." if state == "RETRY" else ""
    return f"The state is {state}.{again}\nLook with `status`, and wait only by `pause()`."


@pytest.fixture
def back_end(kata):
    """What is stored in the result back end, and who reads it; also the photos in between."""
    back_end = BackEnd(kata)
    note = back_end.diary.append
    sys.modules["studio"].before_photo = lambda photo_id: note(("", "photo", photo_id))
    with back_end.noted():
        yield back_end


@pytest.fixture
def send(kata):
    """`send(photo_ids)` sends `render_album` and returns its AsyncResult."""

    def send_album(photo_ids):
        if not isinstance(kata.render_album, Task):
            with contextlib.suppress(TypeError, AttributeError):  # what NotImplementedError is not
                kata.render_album([])
            above = " Put `@app.task(…)` above it." if isfunction(kata.render_album) else ""
            pytest.fail(f"TODO 1: `render_album` is not a task of `app`.{above}")
        return kata.render_album.delay(photo_ids)

    return send_album


def true_page(state, value):
    """What `status` must say of this record."""
    page = {"state": state, "percent": {"PENDING": 0, "STARTED": 0, "SUCCESS": 100}.get(state)}
    if state == "PROGRESS":
        page["percent"] = 100 * value["done"] // value["total"]
    more = {"SUCCESS": {"result": value}, "FAILURE": {"error": str(value)}}
    return page | more.get(state, {})


def fault_of(page, records):
    """What is wrong with a page that must be true of one of the records, or nothing."""
    if not isinstance(page, dict):
        return "It must return a dict."
    try:
        json.dumps(page)
    except (TypeError, ValueError) as error:
        return f"That cannot be written as JSON: {error}."
    said = {name: page.get(name, "missing") for name in ("state", "percent")}
    said |= {name: page[name] for name in ("result", "error") if page.get(name) is not None}
    true = [repr(true_page(*record)) for record in records]  # as text, since 33.0 is equal to 33
    return "" if repr(said) in true else f"It must say {' or '.join(true)}."


@pytest.fixture
def page_of(kata, back_end, outcome_of, naps):
    """`page_of(task_id)` calls `status`, and fails unless its page was true at one moment."""
    given = vars(kata).get("status")

    def ask(task_id):
        known, slept, pages = len(back_end.records(task_id)), len(naps), []
        back_end.reads = 0
        did, where = outcome_of(lambda: pages.append((given or kata.status)(task_id)))
        records = back_end.records(task_id)[known - 1 :]
        fault = fault_of(pages[-1], records) if pages else "It must not raise."
        if len(naps) > slept:
            fault = "It has slept. It must answer at once with what is known."
        if fault and len(records) > 1 and back_end.reads > 1:
            fault += "\nThe state and the value came from two looks. Take both from one look."
        if pages and not isinstance(pages[0], dict):
            raise AssertionError(f"TODO 2: `status` returned {pages[0]!r}. {fault}")
        if fault:
            held = " and then ".join(f"{state}, {value!r}" for state, value in records)
            did = f"returned {pages[-1]!r}" if pages else did
            text = f"TODO 2: The back end held {held}.\n`status` {did}.\n{fault}"
            raise AssertionError(text).with_traceback(where)
        return pages[-1]

    return ask


@pytest.fixture
def album(kata, back_end, watch):  # noqa: ARG001 - it notes what is stored
    """`task_id, go_on = album(story)`: without a worker, `go_on()` stores the next record."""
    watch.expect_more()

    def new(story):
        task_id, still_to_come = str(uuid.uuid4()), list(story)

        def go_on():
            if still_to_come:
                state, value = still_to_come.pop(0)
                trace = "Traceback (most recent call last): …" if state == "FAILURE" else None
                kata.app.backend.store_result(task_id, value, state, traceback=trace)

        return task_id, go_on

    return new


@pytest.fixture
def outcome_of():
    """`outcome_of(call, …)` says what the call did, and where: "returned …" or "raised …"."""

    def outcome(call, *args):
        try:
            return f"returned {call(*args)!r}", None
        except (AssertionError, NotImplementedError):
            raise
        except Exception as error:
            return f"raised {type(error).__name__}: {error}", error.__traceback__

    return outcome


class Looks:
    """Counts the looks of `follow` at one album. It fails when they are too many, or never end."""

    def __init__(self, state_now):
        self._state_now = state_now
        self.pages = self.reads = self.pauses = self.too_late = 0  # reads: not those of `status`
        self._depths = []

    def note(self, **more):
        """Note a call of `status` (`pages=1`), another read of the back end, or a pause."""
        for name, count in more.items():
            setattr(self, name, getattr(self, name) + count)
        ended = (state := self._state_now()) in READY_STATES
        self.too_late += ended
        if max(self.too_late, self.pauses) > PATIENCE:
            has = "has ended with" if ended else "stays in"
            pytest.fail(f"The album {has} {state}, and `follow` still goes on.")
        if not ended and self.pages + self.reads > 1:
            pytest.fail(
                "`follow` has looked again without `pause()`. Calls of `status`: "
                f"{self.pages}, other reads of the back end: {self.reads}.\n"
                "One call of `status` tells all. Call `pause()` before the next look."
            )

    def note_pause(self):
        """Note a pause: `follow` may look again."""
        self.note(pauses=1)
        self.pages = self.reads = 0
        self._depths.append(sum(1 for _ in traceback.walk_stack(None)))
        if len(self._depths) > 5 and self._depths == sorted(set(self._depths)):
            pytest.fail("`follow` calls itself for each look, up to a RecursionError. Use a loop.")


@pytest.fixture
def followed(kata, back_end, page_of, outcome_of, naps, monkeypatch):
    """`followed(task_id, go_on)` calls `follow`, and `go_on()` in each pause.

    With `in_each="look"` the album goes on while `follow` looks. Returns what was told, what
    `follow` did in the end, and where.
    """

    def follow(task_id, go_on, in_each="pause"):
        looks, told, given_pause = Looks(lambda: back_end.records(task_id)[-1][0]), [], kata.pause
        after = {"pause": lambda: None, "look": lambda: None, in_each: go_on}
        inside = []  # not empty while `status` runs
        naps.clear()
        sleep = time.sleep

        def noted_sleep(seconds):  # it fails where the sleep is
            if (code := sys._getframe(1).f_code).co_filename != kata.__file__:
                return sleep(seconds)
            naps.append(seconds)
            return inside or code.co_name == "pause" or check_naps(looks.pauses)

        def check_naps(pauses):
            assert naps == [0.5] * pauses, (
                f"`pause` slept for {(naps or [0])[-1]} seconds. It is given: put 0.5 back."
                if len(naps) <= pauses
                else "Your code slept in another way than by `pause()`.\nOnly `pause` sleeps."
            )

        def status(*args, **kwargs):
            asked = [*args, *kwargs.values()]
            it = "the AsyncResult" if isinstance(asked[0], AsyncResult) else asked
            is_id = repr(asked) == repr([task_id])  # an AsyncResult is equal to its id
            assert is_id, f"`follow` called `status` with {it}, and not with the id."
            check_naps(looks.pauses)
            looks.note(pages=1)
            inside.append(status)
            try:
                back_end.pages.append(page_of(task_id))
                return back_end.pages[-1]
            finally:
                inside.pop()

        def pause():
            given_pause()
            looks.note_pause()
            check_naps(looks.pauses)
            after["pause"]()

        def after_read():
            if not inside:
                looks.note(reads=1)
            after["look"]()

        with monkeypatch.context() as patch:
            patch.setattr(kata, "status", status)
            patch.setattr(kata, "pause", pause)
            patch.setattr(time, "sleep", noted_sleep)
            patch.setattr(back_end, "after_read", after_read)
            did, where = outcome_of(kata.follow, kata.app.AsyncResult(task_id), told.append)
        check_naps(looks.pauses)
        return told, did, where

    return follow
