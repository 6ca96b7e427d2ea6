"""Tests of kata 02. Each docstring is one requirement."""

import random

import pytest
from celery.canvas import Signature
from celery.result import AsyncResult, GroupResult

STEPS = ["tasks.fetch", "tasks.resize", "tasks.stamp"]


def some_photo():
    return random.randint(1, 9999), random.randint(100, 4000)


def prepared(photo_id, width):
    return f"photo-{photo_id}-{width}px-proof.jpg"


def shown(result):
    """What a function returned. A signature is easily taken for a message that was sent."""
    unsent = isinstance(result, Signature)
    return f"the signature {result!r}, and nobody has sent it" if unsent else repr(result)


@pytest.mark.todo(1)
def test_prepare_runs_the_three_steps(kata, celery_worker):
    """The result of `prepare` is the path that fetch, resize and stamp make together."""
    photo_id, width = some_photo()

    result = kata.prepare(photo_id, width)

    assert isinstance(result, AsyncResult), (
        f"`prepare` must return an AsyncResult. It returned {shown(result)}."
    )
    assert result.get() == prepared(photo_id, width)


@pytest.mark.todo(1)
def test_prepare_does_not_wait(kata, timeline):
    """`prepare` sends the first step and returns at once. The workers send the rest."""
    kata.prepare(*some_photo())

    assert not timeline.reads(), "`prepare` waited for a result. No worker was running yet."
    sent = [e.task for e in timeline.sent()]
    assert sent == ["tasks.fetch"], f"`prepare` sent {sent}. It must send only `tasks.fetch`."


@pytest.mark.todo(1)
def test_each_step_follows_the_one_before(kata, celery_worker, timeline):
    """Each step is a task of its own. Its parent is the step before it."""
    result = kata.prepare(*some_photo())
    result.get()

    ran = [e.task for e in timeline.started()]
    assert ran == STEPS, f"The worker ran {ran}. It must run {STEPS}."
    fetch, resize, stamp = timeline.started()
    assert resize.parent_id == fetch.id, "The parent of `resize` is not `fetch`."
    assert stamp.parent_id == resize.id, "The parent of `stamp` is not `resize`."
    assert result.id == stamp.id, "`prepare` did not return the result of the last step."


@pytest.mark.todo(1)
def test_a_failing_step_stops_the_rest(kata, celery_worker, timeline, settle):
    """When a step fails, the later steps never start, and the caller gets the error."""
    _, width = some_photo()

    result = kata.prepare(0, width)

    with pytest.raises(LookupError, match="there is no photo 0"):
        result.get()
    settle()
    ran = [e.task for e in timeline.started()]
    assert ran == ["tasks.fetch"], f"`fetch` failed, and still the worker ran {ran}."


@pytest.mark.todo(2)
def test_prepare_all_sends_everything_at_once(kata, timeline):
    """`prepare_all` sends the first step of every photo and returns one GroupResult at once."""
    photo_ids = random.sample(range(1, 9999), 4)

    result = kata.prepare_all(photo_ids, 800)

    assert isinstance(result, GroupResult), (
        f"`prepare_all` must return a GroupResult. It returned {shown(result)}."
    )
    assert not timeline.reads(), "`prepare_all` waited for a result. No worker was running yet."
    sent = sorted(e.args for e in timeline.sent("tasks.fetch"))
    assert sent == sorted((photo_id,) for photo_id in photo_ids), (
        f"{len(photo_ids)} photos made these messages for `tasks.fetch`: {sent}."
    )


@pytest.mark.todo(2)
@pytest.mark.worker(concurrency=2)
def test_prepare_all_keeps_the_order(kata, celery_worker, timeline, hold):
    """The paths come in the order of `photo_ids`, though the photos finish in another order."""
    photo_ids = random.sample(range(1, 9999), 4)
    photo_ids.append(photo_ids[1])
    hold("tasks.fetch", first=1, until=lambda: len(timeline.succeeded("tasks.stamp")) == 4)

    paths = kata.prepare_all(photo_ids, 640).get()

    assert paths == [prepared(photo_id, 640) for photo_id in photo_ids]
    assert kata.prepare_all([], 640).get() == []


@pytest.mark.todo(3)
def test_announce_comes_last(kata, celery_worker, timeline):
    """`announce` runs after `stamp`. It is handed the id of the photo, and not the path."""
    photo_id, width = some_photo()

    result = kata.prepare_and_announce(photo_id, width)

    assert isinstance(result, AsyncResult), (
        f"`prepare_and_announce` must return an AsyncResult. It returned {shown(result)}."
    )
    assert result.get() == f"photo {photo_id} is ready"
    ran = [e.task for e in timeline.started()]
    expected = [*STEPS, "tasks.announce"]
    assert ran == expected, f"The worker ran {ran}. It must run {expected}."
    *_, stamp, announce = timeline.started()
    assert announce.args == (photo_id,), f"`announce` ran as {announce.call}."
    assert announce.parent_id == stamp.id, "The parent of `announce` is not `stamp`."
    assert result.id == announce.id, "The result must be the one of `announce`."


@pytest.mark.todo(3)
def test_nobody_is_told_of_a_failed_photo(kata, celery_worker, timeline, settle):
    """When the photo cannot be prepared, `announce` does not run."""
    _, width = some_photo()

    result = kata.prepare_and_announce(-1, width)

    with pytest.raises(LookupError, match="there is no photo -1"):
        result.get()
    settle()
    assert not timeline.started("tasks.announce"), "The customer was told of a missing photo."


@pytest.mark.todo(3)
@pytest.mark.worker(concurrency=4)
def test_nobody_waits_for_a_result(kata, celery_worker, timeline, settle):
    """No function and no task waits for the result of another task."""
    kata.prepare(*some_photo())
    kata.prepare_all([1, 2], 300)
    kata.prepare_and_announce(*some_photo())
    settle()

    ran = sorted(e.task for e in timeline.succeeded())
    expected = sorted([*STEPS * 4, "tasks.announce"])
    assert ran == expected, f"The worker ran {ran}. It must run {expected}."
    assert not timeline.reads(), "Somebody waited for a result. A chain needs nobody to wait."
