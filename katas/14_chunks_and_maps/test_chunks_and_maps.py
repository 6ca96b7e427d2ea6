"""Tests of kata 14. Each docstring is one requirement."""

import copy
import random

import pytest
from celery import Task
from celery.result import AsyncResult, GroupResult

pytestmark = pytest.mark.usefixtures("naps")


def shown(value, most=160):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def some_ids(count):
    return random.sample(range(1000, 9999), count)


@pytest.mark.todo(1)
@pytest.mark.parametrize("count", [4, 1, 0])
def test_resize_all_sends_one_message(kata, studio, timeline, start_worker, settle, naps, count):
    """`resize_all` sends one message for all pairs. Its result is the list of the new paths."""
    lists = [[(f"{i}.jpg", random.randint(10, 999)) for i in some_ids(n)] for n in (count, 3)]
    lists.append(lists[0][::-1])
    before = copy.deepcopy(lists)

    results = [kata.resize_all(pairs=lists[0]), *map(kata.resize_all, lists[1:])]

    studio.check_only_sent("resize_all", timeline, naps)
    assert lists == before, f"`resize_all` has changed its list to {shown(lists)}."
    for pairs, result in zip(lists, results, strict=True):
        assert isinstance(result, AsyncResult), (
            f"resize_all({shown(pairs)}) must return an AsyncResult. It returned {shown(result)}."
        )
    calls, counts = [shown(e.call, 80) for e in timeline.sent()], [len(pairs) for pairs in lists]
    assert len(calls) == 3, (
        f"3 calls of `resize_all`, with {counts} pairs, sent {len(calls)} messages, and not 3: "
        f"{shown(calls)}."
    )
    ids = [event.id for event in timeline.sent()]
    assert ids == [result.id for result in results], (
        f"The messages have the ids {ids}. `resize_all` returned the results of others."
    )
    assert len({*ids}) == 3, f"3 calls of `resize_all` sent tasks with one id: {ids}."
    start_worker()
    settle()
    more = [event.call for event in timeline.sent()[3:]]
    assert not more, f"The worker has sent {len(more)} more messages, such as {more[0]}."
    for pairs, result in zip(lists, results, strict=True):
        why = f"resize_all({shown(pairs)})"
        value, expected = studio.outcome(result), [studio.name(*pair) for pair in pairs]
        assert value == expected, (
            f"{why}: the result is\n    {shown(value)}.\nIt must be\n    {shown(expected)}."
        )
        done = studio.calls_of(result.id)
        assert done == pairs, f"{why} called `resize` with {done}, in this order."


@pytest.mark.todo(1)
def test_resize_all_tells_the_error(kata, studio, start_worker, settle):
    """When a pair fails, whoever has called `resize_all` gets its error."""
    start_worker()
    pairs = [(f"{i}.jpg", random.randint(10, 999)) for i in some_ids(3)]
    text = f"{pairs[1][0]} is {random.randint(10, 99)} bytes too long"
    studio.errors[pairs[1]] = ValueError(text)

    result = kata.resize_all(pairs)
    settle()

    told = studio.outcome(result)
    why = f"{pairs[1]} fails with\n    {text!r}.\nresize_all({pairs}) gave\n    {told!r}."
    assert isinstance(told, Exception), why
    assert text in str(told), why


@pytest.mark.todo(2)
@pytest.mark.parametrize("where", ["called", "in a worker"])
def test_try_thumbnail_returns_what_is_wrong(kata, studio, timeline, start_worker, settle, where):
    """`try_thumbnail` returns the path, or a BadPhoto as text. Any other error it raises."""
    good, bad, other, again = some_ids(4)
    studio.errors[bad,] = kata.BadPhoto(f"photo {bad} has {random.randint(2, 9)} heads")
    others = [OSError(f"no space for photo {other}"), ValueError(f"photo {other} is {again}")]
    if where == "in a worker":
        start_worker()
        kata.try_thumbnail(good)  # is it done at all?
        found = kata.try_thumbnail
        assert isinstance(found, Task), (
            "`try_thumbnail` is a plain function. It must be a task of `app`, for a worker."
        )

    def run(*args, **kwargs):
        if where == "in a worker":
            return studio.outcome(kata.try_thumbnail.delay(*args, **kwargs))
        return studio.tried(kata.try_thumbnail, *args, **kwargs)

    studio.calls.clear()
    four = [good, bad, again, good]
    for photo_id, value in zip(four, list(map(run, four)), strict=True):
        item = studio.item(photo_id)
        why = f"try_thumbnail({photo_id}), {where}, gave\n    {value!r}.\nIt must be\n    {item}."
        assert value == item, why
    assert run(photo_id=again) == studio.item(again), "`photo_id` can be given by name, too."
    for error in others:
        studio.errors[other,] = error
        value = run(other)
        assert repr(value) == repr(error), (
            f"`thumbnail` raised\n    {error!r},\nwhich is no BadPhoto. try_thumbnail({other}), "
            f"{where}, gave\n    {value!r}.\nIt must raise that error."
        )
    calls = [args[0] for args in studio.calls]
    once = [*four, again, other, other]
    assert calls == once, f"`thumbnail` must be called once for each of {once}, not for {calls}."
    sent = [event.call for event in timeline.sent()]
    more = len(sent) - len(once) * (where == "in a worker")
    assert not more, f"`try_thumbnail` must send nothing. Sent was {shown(sent)}."
    settle()


@pytest.mark.todo(3)
@pytest.mark.parametrize(
    ("count", "size"), [(6, 3), (7, 3), (1, 3), (0, 3), (3, 1), (2, 9), (250, 100)]
)
def test_thumbnails_sends_chunks(kata, studio, timeline, start_worker, settle, naps, count, size):
    """`thumbnails` sends few messages, each with up to `size` ids. No photo is left out."""
    studio.check_try_thumbnail()
    lists = [some_ids(count), some_ids(5)]
    lists[1][3] = lists[1][1]
    before = copy.deepcopy(lists)

    results = [kata.thumbnails(lists[0], size), kata.thumbnails(photo_ids=lists[1], size=2)]

    studio.check_only_sent("thumbnails", timeline, naps)
    assert lists == before, f"`thumbnails` has changed its list to {shown(lists)}."
    sent, seen = timeline.sent(), 0
    for ids, most, result in zip(lists, (size, 2), results, strict=True):
        call = f"thumbnails({shown(ids, 60)}, {most}), with {len(ids)} ids,"
        need = -(-len(ids) // most)
        assert isinstance(result, GroupResult), (
            f"{call} must return a GroupResult. It returned {shown(result)}."
        )
        chunks = [chunk.id for chunk in result.results]
        assert len(chunks) == need, (
            f"{call} needs {need} messages, one for each chunk. The GroupResult has {len(chunks)}."
        )
        assert chunks == [event.id for event in sent[seen : seen + need]], (
            f"{call}: the GroupResult has not the messages that were sent, in this order."
        )
        seen += need
    assert len(sent) == seen, (
        f"{len(lists[0])} ids in chunks of {size} and 5 in chunks of 2 need {seen} messages. "
        f"{len(sent)} were sent: {shown([shown(event.call, 80) for event in sent])}."
    )
    ids = {event.id for event in sent}
    assert len(ids) == seen, f"`thumbnails` sent {seen} messages with {len(ids)} ids."
    start_worker()
    settle()
    more = [event.call for event in timeline.sent()[seen:]]
    assert not more, f"The worker has sent {len(more)} more messages, such as {more[0]}."
    for ids, most, result in zip(lists, (size, 2), results, strict=True):
        studio.check_chunks(f"thumbnails({shown(ids, 60)}, {most})", ids, most, result)


@pytest.mark.todo(3)
@pytest.mark.parametrize("place", [0, 1, 2, 6])
def test_a_bad_photo_does_not_lose_its_chunk(kata, studio, start_worker, settle, place):
    """A bad photo is told in its own place. The others of its chunk are made."""
    studio.check_try_thumbnail()
    start_worker()
    ids = some_ids(7)
    for photo_id in {ids[place], ids[4]}:
        studio.errors[photo_id,] = kata.BadPhoto(f"photo {photo_id} is upside down")

    result = kata.thumbnails(ids, 3)
    settle()

    call = f"thumbnails({ids}, 3), when photos {ids[place]} and {ids[4]} are bad"
    studio.check_chunks(call, ids, 3, result)


@pytest.mark.todo(3)
def test_another_error_is_told(kata, studio, start_worker, settle):
    """When the disk is full, the chunk fails with that error, and the other chunks are made."""
    studio.check_try_thumbnail()
    start_worker()
    ids = some_ids(6)
    text = f"no space left for photo {ids[3]}"
    studio.errors[ids[3],] = OSError(text)

    result = kata.thumbnails(ids, 2)
    settle()

    why = f"In thumbnails({ids}, 2) `thumbnail` raised\n    OSError({text!r}).\n"
    first, middle, last = map(studio.outcome, result.results)
    told = str(middle) if isinstance(middle, Exception) else ""
    assert text in told, f"{why}Its chunk gave\n    {middle!r}.\nIt must be that error."
    for part, value in ((ids[:2], first), (ids[4:], last)):
        items = [studio.item(photo_id) for photo_id in part]
        assert value == items, f"{why}Another chunk gave\n    {value!r}.\nIt must be\n    {items}."


@pytest.mark.todo(4)
def test_progress_counts_what_has_ended(kata, chunk_results, timeline, naps):
    """`progress` counts the chunks that have ended, those that have failed, and all of them."""
    states = [("PENDING", None), ("SUCCESS", [1]), ("FAILURE", OSError("disk")), ("STARTED", {})]
    states += [("SUCCESS", []), ("RETRY", OSError("later")), ("PENDING", None)]

    def check(group_result, done, failed, total, now):
        found = kata.progress(group_result)
        assert not [*timeline.waits(), *naps], "`progress` waited, or slept. It must not."
        expected = {"done": done, "failed": failed, "total": total}
        assert found == expected, (
            f"The states of the chunks are {[state for state, _ in now]}.\n"
            f"progress(…) returned {found!r}. It must be {expected}."
        )

    group_result = chunk_results(*states)
    check(group_result, 3, 1, 7, states)
    check(chunk_results(), 0, 0, 0, [])
    check(chunk_results(("PENDING", None)), 0, 0, 1, [("PENDING", None)])
    for number, (state, _) in enumerate(states):
        if state in ("PENDING", "STARTED", "RETRY"):
            failed = state != "PENDING"
            states[number] = ("FAILURE", OSError("full")) if failed else ("SUCCESS", [2])
            group_result.store(number, *states[number])
    check(group_result, 7, 3, 7, states)
    revoked = kata.progress(chunk_results(("REVOKED", OSError("revoked")), ("SUCCESS", [])))
    assert revoked["done"] == 2, f"A revoked chunk has ended, too: {revoked} must have 2 done."


@pytest.mark.todo(5)
@pytest.mark.parametrize("lengths", [(3, 3, 1), (2,), (1, 1, 2, 1), ()])
def test_collect_makes_one_list(kata, chunk_results, lengths):
    """`collect` returns one list of what is in all chunks, in the order of the chunks."""
    chunks = [[{"id": i, "path": f"{i}.jpg"} for i in some_ids(n)] for n in lengths]
    flat = [item for chunk in chunks for item in chunk]
    group_result = chunk_results(*[("SUCCESS", chunk) for chunk in chunks])

    for _ in range(2):
        found = kata.collect(group_result)

        assert (type(found), found) == (list, flat), (
            f"The results of the chunks are\n    {shown(chunks, 300)}.\ncollect(…) returned\n"
            f"    {shown(found, 300)}.\nIt must be\n    {shown(flat, 300)}."
        )
    left = {kata.app.AsyncResult(chunk.id).state for chunk in group_result.results}
    assert left <= {"SUCCESS"}, f"`collect` must leave the results there. They are {left} now."


@pytest.mark.todo(5)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_collect_tells_a_failed_chunk(kata, studio, chunk_results, place):
    """When a chunk has failed, `collect` raises its error, and returns no list with a gap."""
    chunks = [("SUCCESS", [{"id": i, "path": f"{i}.jpg"}]) for i in some_ids(3)]
    error = OSError(f"no space left for {random.randint(100, 999)}")
    chunks[place] = ("FAILURE", error)
    group_result = chunk_results(*chunks)

    for _ in range(2):
        found = studio.tried(kata.collect, group_result)
        told = str(found) if isinstance(found, Exception) else ""
        assert str(error) in told, (
            f"Chunk {place + 1} of 3 has failed with {error!r}.\ncollect(…) gave {found!r}. It "
            "must raise that error."
        )


@pytest.mark.todo(5)
@pytest.mark.parametrize("fault", ["a bad photo", "a full disk"])
def test_collect_waits_for_the_chunks(kata, studio, timeline, start_worker, hold, settle, fault):
    """`collect` waits for all chunks, whichever ends first. One that fails meanwhile is told."""
    studio.check_try_thumbnail()
    ids, error = some_ids(8), OSError("the disk is full") if "disk" in fault else None
    studio.errors[ids[4],] = error or kata.BadPhoto("too dark")
    group_result, call = kata.thumbnails(ids, 3), f"thumbnails({ids}, 3)"
    count = len(group_result.results)
    assert count == 3, f"TODO 3: {call} must give a GroupResult of 3 chunks, not of {count}."
    before, expected = kata.progress(group_result), {"done": 0, "failed": 0, "total": 3}
    assert before == expected, f"TODO 4: progress({call}), before a worker runs, is {before}."
    name = timeline.sent()[0].task
    hold(name, until=timeline.waits)
    hold(name, first=1, until=lambda: len(timeline.succeeded(name) + timeline.failed(name)) > 1)
    start_worker(concurrency=2)

    found = studio.tried(kata.collect, group_result)

    settle()
    if error is None:
        studio.check_chunks(f"TODO 3: {call}", ids, 3, group_result)
    items = [studio.item(photo_id) for photo_id in ids] if error is None else error
    assert repr(found) == repr(items) or found == items, (
        f"collect({call}), with {fault}, gave\n    {shown(found)}.\nIt must be\n    {shown(items)}."
    )
    after, expected = kata.progress(group_result), {"done": 3, "failed": 0, "total": 3}
    expected["failed"] = int(error is not None)
    assert after == expected, f"TODO 4: progress({call}), with {fault}, is {after} in the end."
