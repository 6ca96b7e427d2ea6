"""Tests of kata 02. Each docstring is one requirement."""

import random
import threading
from collections import Counter

import pytest
from celery.canvas import Signature, group
from celery.result import AsyncResult, GroupResult

pytestmark = pytest.mark.usefixtures("naps")

STEPS = ["tasks.fetch", "tasks.resize", "tasks.stamp"]
TASKS_OF = {  # what the worker runs for the function of each TODO; two photos for `prepare_all`
    "prepare": STEPS,
    "prepare_all": [*STEPS, *STEPS],
    "prepare_and_announce": [*STEPS, "tasks.announce"],
}
FUNCTIONS = [pytest.param(name, marks=pytest.mark.todo(n)) for n, name in enumerate(TASKS_OF, 1)]
SIGNATURES = (
    "In a chain, a signature made by .s() gets the result of the task before it as its first "
    "argument. One made by .si() does not."
)


def some_photo():
    return random.randint(1, 9999), random.randint(100, 4000)


def prepared(kata, photo_id, width):
    return f"photo-{photo_id}-{width}px-{kata.STAMP_TEXT}.jpg"


def returned(function, result, wanted="an AsyncResult"):
    """A text about what a function returned, and what it must return."""
    return f"`{function}` must return {wanted}. It returned {shown(result)}."


def shown(result):
    """The result, whatever it is. A signature is easily taken for a message that was sent."""
    if isinstance(result, group) and any(isinstance(task, AsyncResult) for task in result.tasks):
        return (
            "a group. The members of the group are AsyncResults, already sent. A group takes "
            "signatures"
        )
    try:
        text = repr(result)
    except Exception:  # so ends the repr of a group of something else
        return f"a {type(result).__name__}, and not all its members are signatures"
    return (
        f"the signature {text}, and nobody has sent it" if isinstance(result, Signature) else text
    )


def nothing_sent(function, result):
    """A text about a function that sent no message: why that may be."""
    if isinstance(result, Signature):
        return f"`{function}` returned {shown(result)}."
    return (
        f"`{function}` sent nothing: was it run here, by a direct call, by .apply() or in eager "
        "mode? It must send `tasks.fetch` to a worker."
    )


def run_by_worker(timeline):
    return [e for e in timeline.started() if not e.eager]


def difference(seen, expected):
    """A short text on how one list of names differs from the other."""
    missing, more = Counter(expected) - Counter(seen), Counter(seen) - Counter(expected)
    if not missing and not more:
        return f"The order was {', '.join(seen)}. It must be {', '.join(expected)}."
    return f"Missing: {listed(missing)}. Too many: {listed(more)}."


def listed(names):
    times = [name if n == 1 else f"{name} ({n} times)" for name, n in names.items()]
    return ", ".join(times) or "none"


def arguments(event):
    """The arguments of a task that takes one, by position or by name."""
    return (*event.args, *event.kwargs.values())


@pytest.mark.todo(1)
def test_prepare_runs_the_three_steps(kata, celery_worker, monkeypatch):
    """The result of `prepare` is the path that fetch, resize and stamp make together."""
    photo_id, width = some_photo()
    text = f"draft-{random.randint(1, 99)}"
    monkeypatch.setattr(kata, "STAMP_TEXT", text, raising=False)

    result = kata.prepare(photo_id, width)

    assert isinstance(result, AsyncResult), returned("prepare", result)
    path, expected = result.get(), prepared(kata, photo_id, width)
    assert path == expected, (
        f"prepare({photo_id}, {width}) gave {path!r}. STAMP_TEXT was {text!r} at that time. "
        f"Expected {expected!r}."
    )


@pytest.mark.todo(1)
def test_prepare_does_not_wait(kata, timeline):
    """Each call of `prepare` sends the first step, and returns a new AsyncResult at once."""
    photo_id, width = some_photo()

    results = [kata.prepare(photo_id, width + more) for more in (0, 1)]

    for result in results:
        assert isinstance(result, AsyncResult), returned("prepare", result)
    sent = [e.task for e in timeline.sent()]
    assert sent, nothing_sent("prepare", result)
    assert sent == ["tasks.fetch"] * 2, (
        f"Two calls of `prepare` sent {listed(Counter(sent))}. Each must send only "
        "`tasks.fetch`. The workers send the rest."
    )
    for ids in ([result.id for result in results], [e.id for e in timeline.sent()]):
        assert ids[0] != ids[1], (
            f"Photo {photo_id} was asked for in two widths. Both have the task id {ids[0]!r}: "
            "they share one record in the result back end. Let Celery make the ids."
        )


@pytest.mark.todo(1)
def test_each_step_follows_the_one_before(kata, celery_worker, timeline, settle):
    """Each step is a task of its own. Its parent is the step before it."""
    result = kata.prepare(*some_photo())
    settle()

    assert timeline.sent(), nothing_sent("prepare", result)
    ran = [e.task for e in run_by_worker(timeline)]
    assert ran == STEPS, f"The worker must run the three steps. {difference(ran, STEPS)}"
    fetch, resize, stamp = run_by_worker(timeline)
    assert resize.parent_id == fetch.id, "The parent of `resize` is not `fetch`."
    assert stamp.parent_id == resize.id, "The parent of `stamp` is not `resize`."
    assert isinstance(result, AsyncResult), returned("prepare", result)
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
def test_prepare_all_sends_everything_at_once(kata, timeline, start_worker, settle):
    """Each call of `prepare_all` sends the first step of every photo, as one group, at once."""
    albums = [random.sample(range(1, 9999), 3) for _ in range(2)]

    results = [kata.prepare_all(album, 800) for album in albums]

    for result in results:
        assert isinstance(result, GroupResult), returned("prepare_all", result, "a GroupResult")
    assert timeline.sent(), nothing_sent("prepare_all", result)
    sent = [f"photo {photo}" for e in timeline.sent("tasks.fetch") for photo in arguments(e)]
    expected = [f"photo {photo}" for album in albums for photo in album]
    assert Counter(sent) == Counter(expected), (
        f"`prepare_all` must send `tasks.fetch` for each photo.\n{difference(sent, expected)}"
    )
    assert results[0].id != results[1].id, (
        f"Two albums have GroupResults with one id, {results[0].id!r}. Each needs its own. "
        "Celery makes one when you send a group."
    )
    start_worker()
    settle()
    ids, stamps = {result.id for result in results}, timeline.started("tasks.stamp")
    outside = [e for e in stamps if e.group_id not in ids]
    assert not outside, (
        f"`stamp` ran for {len(stamps)} photos. {len(outside)} of them are not in the group that "
        "`prepare_all` returned.\nA GroupResult that you make yourself sends no group. Make a "
        "`group` of signatures, and send it."
    )


@pytest.mark.todo(2)
@pytest.mark.worker(concurrency=2)
def test_prepare_all_keeps_the_order(kata, celery_worker, timeline, hold):
    """The paths come in the order of `photo_ids`, though the photos finish in another order."""
    photo_ids = random.sample(range(1, 9999), 4)
    photo_ids.append(photo_ids[1])
    hold("tasks.fetch", first=1, until=lambda: len(timeline.succeeded("tasks.stamp")) == 4)

    result = kata.prepare_all(photo_ids, 640)

    assert isinstance(result, GroupResult), returned("prepare_all", result, "a GroupResult")
    assert result.get() == [prepared(kata, photo_id, 640) for photo_id in photo_ids]
    assert kata.prepare_all([], 640).get() == []


@pytest.mark.todo(3)
def test_announce_comes_last(kata, celery_worker, timeline, settle):
    """`announce` runs after `stamp`. It is handed the id of the photo, and not the path."""
    photo_id, width = some_photo()

    result = kata.prepare_and_announce(photo_id, width)

    assert isinstance(result, AsyncResult), returned("prepare_and_announce", result)
    settle()
    assert timeline.sent(), nothing_sent("prepare_and_announce", result)
    for announce in timeline.started("tasks.announce"):
        assert arguments(announce) == (photo_id,), (
            f"The worker called {announce.call}. `announce` takes the id of the photo, and nothing "
            f"else.\n{SIGNATURES}"
        )
    ran, expected = [e.task for e in run_by_worker(timeline)], [*STEPS, "tasks.announce"]
    assert ran == expected, f"The worker must run four tasks. {difference(ran, expected)}"
    *_, stamp, announce = run_by_worker(timeline)
    assert announce.parent_id == stamp.id, "The parent of `announce` is not `stamp`."
    assert result.id == announce.id, "The result must be the one of `announce`."
    assert result.get() == f"photo {photo_id} is ready"


@pytest.mark.todo(3)
def test_nobody_is_told_of_a_failed_photo(kata, celery_worker, timeline, settle):
    """When the photo cannot be prepared, `announce` does not run."""
    _, width = some_photo()

    result = kata.prepare_and_announce(-1, width)

    with pytest.raises(LookupError, match="there is no photo -1"):
        result.get()
    settle()
    assert not timeline.started("tasks.announce"), "The customer was told of a missing photo."


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nobody_waits_for_a_result(kata, start_worker, timeline, settle, hold, naps, name):
    """The function returns at once. No function and no task waits for a result."""
    function, (photo_id, width) = getattr(kata, name), some_photo()
    wanted = [photo_id, photo_id + 1] if name == "prepare_all" else photo_id

    result = function(wanted, width)  # no worker runs: a wait fails, in the line that waits

    assert not naps, f"`{name}` called `time.sleep`, for {naps} seconds. It must return at once."
    assert timeline.sent(), nothing_sent(name, result)
    start_worker(concurrency=4)
    settle()
    for read in timeline.reads():  # a look by the function itself is no wait: see below
        task = next((e.task for e in timeline.started() if e.id == read.reader), None)
        assert task is None, (
            f"The task `{task}` waited for the result of another task, and kept its place in the "
            "worker. A chain needs nobody to wait."
        )
    ran, expected = [e.task for e in run_by_worker(timeline)], TASKS_OF[name]
    assert Counter(ran) == Counter(expected), (
        f"The worker did not run the right tasks for `{name}`. {difference(ran, expected)}"
    )

    # Who waits with a time-out, or in a loop, may have given up above. Now a worker is there
    # and holds `fetch`. It goes on when the function has returned, or does nothing but wait.
    has_returned = threading.Event()
    hold("tasks.fetch", until=has_returned.is_set)
    before = len(timeline.succeeded("tasks.fetch"))
    function(wanted, width)
    waited = len(timeline.succeeded("tasks.fetch")) > before
    has_returned.set()

    assert not waited, f"`{name}` waited for a result: it returned only after `fetch` was done."
