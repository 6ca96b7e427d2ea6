"""Tests of kata 02. Each docstring is one requirement."""

import random
import threading
from collections import Counter

import pytest
from celery.canvas import Signature, group
from celery.result import AsyncResult, GroupResult

pytestmark = pytest.mark.usefixtures("naps")

#: The given tasks and their arguments, in the order of the chain.
GIVEN = {
    "tasks.fetch": ["photo_id"],
    "tasks.resize": ["path", "width"],
    "tasks.stamp": ["path", "text"],
    "tasks.announce": ["photo_id"],
}
STEPS = [*GIVEN][:3]
FUNCTIONS = ["prepare", "prepare_all", "prepare_and_announce"]
ONE = "\nOne photo makes a group, too. Send the group itself: a chain around it is a chain."
EACH = [pytest.param(name, marks=pytest.mark.todo(n)) for n, name in enumerate(FUNCTIONS, 1)]


def some_photo():
    return random.randint(1, 9999), random.randint(100, 4000)


def prepared(photo_id, width, text):
    return f"photo-{photo_id}-{width}px-{text}.jpg"


def steps_of(photo_id, width, text):
    """The calls of the three steps, as `call` writes them."""
    path = f"photo-{photo_id}"
    return [
        f"fetch(photo_id={photo_id})",
        f"resize(path={path!r}, width={width})",
        f"stamp(path={f'{path}-{width}px'!r}, text={text!r})",
    ]


def call(event):
    """The call of a task. The arguments of a given one have their names."""
    if event.task not in GIVEN:
        return event.call
    named = dict(zip([*GIVEN[event.task], "one too many"], event.args, strict=False))
    named.update(event.kwargs)
    arguments = ", ".join(f"{name}={value!r}" for name, value in sorted(named.items()))
    return f"{event.task.removeprefix('tasks.')}({arguments})"


def returned(function, result, wanted="an AsyncResult"):
    """A text about what a function returned, and what it must return."""
    return f"`{function}` must return {wanted}. It returned {shown(result)}."


def shown(result):
    """The result, whatever it is. A signature is easily taken for a message that was sent."""
    if isinstance(result, group) and any(isinstance(task, AsyncResult) for task in result.tasks):
        return "a group of AsyncResults, which are sent already. A group takes signatures"
    if isinstance(result, list) and result and isinstance(result[0], AsyncResult):
        return "a list of AsyncResults. They belong to no group"
    if not isinstance(result, Signature):
        return repr(result)
    if isinstance(result, group) and not all(isinstance(task, Signature) for task in result.tasks):
        return "a group, and not all its members are signatures"
    kind = type(result).__name__.strip("_").lower()  # its repr is long, and it can fail
    return f"a {kind} that nobody has sent. `.delay()` sends it"


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
    parts = [("Missing", missing), ("Too many", more)]
    text = "\n".join(f"{what}: {listed(names)}." for what, names in parts if names)
    return text or f"The order was {', '.join(seen)}.\nIt must be {', '.join(expected)}."


def listed(names, most=3):
    times = [name if n == 1 else f"{name} ({n} times)" for name, n in names.items()]
    more = [f"{len(times) - most} more"] if len(times) > most else []
    return ", ".join([*times[:most], *more])


@pytest.mark.todo(1)
def test_prepare_runs_the_three_steps(kata, start_worker, settle, new_text, why_path):
    """The result of `prepare` is the path that fetch, resize and stamp make together."""
    calls = []
    for _ in range(2):
        photo_id, width, text = *some_photo(), new_text()
        calls.append((photo_id, width, text, kata.prepare(photo_id=photo_id, width=width)))
    new_text()  # a worker that looks at it now comes too late
    start_worker()
    settle()
    for photo_id, width, text, result in calls:
        assert isinstance(result, AsyncResult), returned("prepare", result)
        path, expected = result.get(), prepared(photo_id, width, text)
        why = "" if path == expected else f"\n{why_path(path, f'photo-{photo_id}', width, text)}"
        gave = f"prepare({photo_id}, {width}) gave {path!r}, not\n{expected!r}."
        assert path == expected, f"{gave}{why}"


@pytest.mark.todo(1)
def test_prepare_does_not_wait(kata, timeline):
    """Each call of `prepare` sends the first step, and returns a new AsyncResult at once."""
    photo_id, width = some_photo()

    results = [kata.prepare(photo_id, width + more) for more in (0, 1, 0)]
    for result in results:
        assert isinstance(result, AsyncResult), returned("prepare", result)
    sent = [e.task for e in timeline.sent()]
    assert sent, nothing_sent("prepare", result)
    assert sent == ["tasks.fetch"] * 3, (
        f"Three calls of `prepare` sent {', '.join(sent)}. Each must send one `tasks.fetch`, and "
        "nothing else. The workers send the rest."
    )
    for ids in ([result.id for result in results], [e.id for e in timeline.sent()]):
        assert len({*ids}) == 3, (
            f"Photo {photo_id} was asked for three times, in two widths. Two of them share one id, "
            "and so one record in the result back end. Let Celery make the ids."
        )


@pytest.mark.todo(1)
def test_each_step_follows_the_one_before(kata, celery_worker, timeline, settle, new_text):
    """Each step is a task of its own. Its parent is the step before it."""
    photo_id, width, text = *some_photo(), new_text()

    result = kata.prepare(photo_id, width)
    settle()

    assert timeline.sent(), nothing_sent("prepare", result)
    ran, expected = [call(e) for e in run_by_worker(timeline)], steps_of(photo_id, width, text)
    assert ran == expected, f"The worker must run the three steps.\n{difference(ran, expected)}"
    fetch, resize, stamp = run_by_worker(timeline)
    assert resize.parent_id == fetch.id, "The parent of `resize` is not `fetch`."
    assert stamp.parent_id == resize.id, "The parent of `stamp` is not `resize`."
    assert isinstance(result, AsyncResult), returned("prepare", result)
    assert result.id == stamp.id, "`prepare` did not return the result of the last step."


@pytest.mark.todo(1)
@pytest.mark.parametrize("step", STEPS)
def test_a_failing_step_stops_the_rest(kata, start_worker, timeline, settle, failing, step):
    """When a step fails, the later steps never start, and the caller gets the error."""
    photo_id = failing(step)
    start_worker()

    result = kata.prepare(photo_id, some_photo()[1])

    assert isinstance(result, AsyncResult), returned("prepare", result)
    with pytest.raises(LookupError, match="there is no photo 0"):
        result.get()
    settle()
    ran, expected = [e.task for e in timeline.started()], STEPS[: STEPS.index(step) + 1]
    assert ran == expected, f"`{step}` failed. {difference(ran, expected)}"


@pytest.mark.todo(2)
def test_prepare_all_sends_everything_at_once(
    kata, timeline, start_worker, settle, new_text, fault
):
    """Each call of `prepare_all` sends the first step of every photo, as one group, at once."""
    many, one, width, text = random.sample(range(1, 9999), 3), [some_photo()[0]], 800, new_text()
    albums = [many, one, many, []]

    results = [kata.prepare_all(photo_ids=list(album), width=width) for album in albums]
    assert timeline.sent(), nothing_sent("prepare_all", results[0])
    function = f"prepare_all({many}, {width})"
    assert isinstance(results[0], GroupResult), returned(function, results[0], "a GroupResult")
    fetches = [call(e) for e in timeline.sent("tasks.fetch")]
    expected = [f"fetch(photo_id={photo_id})" for album in albums for photo_id in album]
    why = "\nIs a `return` inside the loop?" if len(fetches) == 3 else ""  # one for each album
    assert Counter(fetches) == Counter(expected), (
        f"{function} must send `tasks.fetch` for each photo.\n{difference(fetches, expected)}{why}"
    )
    for album, result in zip(albums, results, strict=True):
        why = returned(f"prepare_all({album}, {width})", result, "a GroupResult")
        assert isinstance(result, GroupResult), why + ONE if len(album) == 1 else why
    ids = [result.id for result in results]
    assert len({*ids}) == len(ids), (
        f"Two albums have GroupResults with one id, {max(ids, key=ids.count)!r}. Celery makes "
        "a new one when you send a group."
    )
    new_text()  # a worker that looks at it now comes too late
    start_worker()
    settle()
    stamps = timeline.started("tasks.stamp")
    outside = [e for e in stamps if e.group_id not in ids]
    assert not outside, (
        f"`stamp` ran for {len(stamps)} photos. {len(outside)} of them are not in the group that "
        "`prepare_all` returned.\nA GroupResult that you make yourself sends no group. Make a "
        "`group` of signatures, and send it."
    )
    expected = [step for album in albums for p in album for step in steps_of(p, width, text)]
    ran = [call(e) for e in run_by_worker(timeline)]
    why = f"prepare_all({many}, {width}) was called twice.\n{difference(ran, expected)}"
    assert Counter(ran) == Counter(expected), f"{fault()}{why}"


@pytest.mark.todo(2)
@pytest.mark.worker(concurrency=2)
def test_prepare_all_keeps_the_order(kata, celery_worker, timeline, hold, new_text, fault):
    """The paths come in the order of `photo_ids`, though the photos finish in another order."""
    photo_ids, text = random.sample(range(1, 9999), 4), new_text()
    photo_ids.append(photo_ids[1])
    hold("tasks.fetch", first=1, until=lambda: len(timeline.succeeded("tasks.stamp")) == 4)

    for album in (photo_ids, photo_ids[:1], []):
        result = kata.prepare_all(album, 640)

        function = f"prepare_all({album}, 640)"
        assert isinstance(result, GroupResult), returned(function, result, "a GroupResult")
        paths, expected = result.get(), [prepared(p, 640, text) for p in album]
        assert paths == expected, f"{fault()}{function} gave\n{paths}, not\n{expected}."


@pytest.mark.todo(3)
def test_announce_comes_last(kata, celery_worker, timeline, settle, new_text, fault, why_announce):
    """`announce` runs after `stamp`. It is handed the id of the photo, and not the path."""
    photo_id, width, text = *some_photo(), new_text()

    result = kata.prepare_and_announce(photo_id=photo_id, width=width)

    assert isinstance(result, AsyncResult), returned("prepare_and_announce", result)
    settle()
    assert timeline.sent(), nothing_sent("prepare_and_announce", result)
    last = f"announce(photo_id={photo_id})"
    for announce in timeline.started("tasks.announce"):
        assert call(announce) == last, why_announce(announce, photo_id, width)
    why_announce.check_together()
    ran, steps = [call(e) for e in run_by_worker(timeline)], steps_of(photo_id, width, text)
    why = difference(ran, [*steps, last])
    assert ran == [*steps, last], f"{fault()}The worker must run four tasks.\n{why}"
    *_, stamp, announce = run_by_worker(timeline)
    assert announce.parent_id == stamp.id, "The parent of `announce` is not `stamp`."
    assert result.id == announce.id, why_announce.other(result)
    assert result.get() == f"photo {photo_id} is ready"


@pytest.mark.todo(3)
@pytest.mark.parametrize("step", STEPS)
def test_nobody_is_told_of_a_failed_photo(kata, start_worker, timeline, settle, failing, step):
    """When the photo cannot be prepared, `announce` does not run, and the caller gets the error."""
    photo_id = failing(step)
    start_worker()

    result = kata.prepare_and_announce(photo_id, some_photo()[1])

    assert isinstance(result, AsyncResult), returned("prepare_and_announce", result)
    with pytest.raises(LookupError, match="there is no photo 0"):
        result.get()
    settle()
    assert not timeline.started("tasks.announce"), "The customer was told of a missing photo."


@pytest.mark.parametrize("name", EACH)
def test_nobody_waits_for_a_result(kata, start_worker, timeline, settle, hold, naps, name):
    """The function returns at once. No function and no task waits for a result."""
    function, (photo_id, width) = getattr(kata, name), some_photo()
    wanted = [photo_id, photo_id + 1] if name == "prepare_all" else photo_id

    result = function(wanted, width)  # no worker runs: a wait fails, in the line that waits

    assert not naps, f"`{name}` called `time.sleep`, for {naps} seconds. It must return at once."
    assert timeline.sent(), nothing_sent(name, result)
    start_worker(concurrency=4)
    settle()
    for read in timeline.waits():
        task = next((e.task for e in timeline.started() if e.id == read.reader), None)
        why = f"The task `{task}` waited for the result of another task, and kept its place"
        assert task is None, f"{why} in the worker. A chain needs nobody to wait."

    # Who waits with a time-out, or in a loop, may have given up above. Now a worker is there
    # and holds `fetch`. It goes on when the function has returned, or does nothing but wait.
    has_returned = threading.Event()
    hold("tasks.fetch", until=has_returned.is_set)
    before = len(timeline.succeeded("tasks.fetch"))
    again = function(wanted, width)
    waited = len(timeline.succeeded("tasks.fetch")) > before
    has_returned.set()
    assert not waited, f"`{name}` waited for a result: it returned only after `fetch` was done."
    ids = [getattr(each, "id", each) for each in (result, again)]
    assert ids[0] != ids[1], f"`{name}` was called twice. Both results have the id {ids[0]!r}."
