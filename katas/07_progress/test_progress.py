"""Tests of kata 07. Each docstring is one requirement."""

import random
import uuid

import pytest
from celery.exceptions import Retry, TaskRevokedError

INTERVAL = 0.5  # as in tasks.py


def some_album(count):
    return random.sample(range(1, 9999), count)


def paths_of(photo_ids):
    return [f"photo-{photo_id}.jpg" for photo_id in photo_ids]


def percents(total):
    return [100 * done // total for done in range(1, total + 1)]


def with_a_double(photo_ids):
    """Somebody likes the first photo: it is in the album two times."""
    return photo_ids[:1] + photo_ids


def has_text(page, text):
    """Whether the page has the text of the error, and no traceback."""
    said = page.get("error")
    return isinstance(said, str) and said.endswith(text) and "Traceback" not in said


def told_by_hand(state, does):
    why = f"It does that when the task {does}."
    return f"The back end was told {state} by you: leave it to Celery. {why}"


@pytest.mark.todo(1)
@pytest.mark.parametrize("count", [5, 0])
def test_a_worker_renders_the_album(send, celery_worker, looks, count):
    """`render_album` is a task; its result is the list of the paths, one for each photo."""
    photo_ids = with_a_double(some_album(count - 1)) if count else []

    result = send(photo_ids).get()

    assert "SUCCESS" not in looks.stored_by_hand, told_by_hand("SUCCESS", "returns")
    assert result == paths_of(photo_ids), (
        f"The album has the result {result!r}. It must be {paths_of(photo_ids)!r}."
    )


@pytest.mark.todo(1)
def test_progress_after_each_photo(send, celery_worker, studio, looks):
    """The state is STARTED during the first photo; after each photo it is PROGRESS."""
    for photo_ids in with_a_double(some_album(3)), with_a_double(some_album(4)):
        total = len(photo_ids)
        studio.hold_at_end(looks, total)

        result = send(photo_ids)
        seen = [(result.state, result.info) for _ in studio.each_photo()]

        states = [state for state, _ in seen]
        assert states[:total] == ["STARTED"] + ["PROGRESS"] * (total - 1), (
            f"During the {total} photos of an album the state was {states}.\n"
            f"It must be STARTED during the first one, and PROGRESS during the others."
        )
        for done, (_, info) in enumerate(seen[1:], 1):
            numbers = {"done": done, "total": total}
            held = info if not isinstance(info, dict) else {n: info.get(n) for n in numbers}
            assert held == numbers, (
                f"The album is {photo_ids}. With {done} of {total} photos done "
                f"the back end holds {info!r}.\nIt must hold {numbers}."
            )
        assert len(seen) > total, (
            f"After the last of {total} photos the back end was not told PROGRESS.\n"
            f"It must hold {numbers} until the task returns."
        )


@pytest.mark.todo(1)
def test_a_bad_photo_fails_the_album(send, celery_worker, looks, settle, must_raise):
    """When a photo is bad, the task fails, and `get` raises the error of `render_photo`."""
    good, bad = some_album(2)

    result = send([good, -bad])
    settle()

    assert "FAILURE" not in looks.stored_by_hand, told_by_hand("FAILURE", "raises")
    must_raise("`get`", "studio.BadPhoto", f"photo -{bad} is damaged", result.get)


@pytest.mark.todo(2)
@pytest.mark.parametrize("count", [5, 1, 0])
def test_status_goes_with_the_album(page_of, send, start_worker, studio, count):
    """`status` tells state and percentage from PENDING to SUCCESS, and then the paths."""
    photo_ids = some_album(count)
    result = send(photo_ids)

    pages = [page_of(result.id)]  # no worker is running yet
    start_worker()
    pages += [page_of(result.id) for _ in studio.each_photo()]
    pages.append(page_of(result.id))

    working = [("STARTED", 0), *(("PROGRESS", p) for p in percents(count)[:-1])] if count else []
    expected = [("PENDING", 0), *working, ("SUCCESS", 100)]
    seen = [(page["state"], page["percent"]) for page in pages]
    assert seen == expected, (
        f"Photos in the album: {count}. `status` told these states and percentages:\n{seen}\n"
        f"They must be:\n{expected}"
    )
    assert pages[-1].get("result") == paths_of(photo_ids), (
        f"At the end `status` says {pages[-1]}. The `result` must be {paths_of(photo_ids)}."
    )
    early = [page for page in pages[:-1] if page.get("result") is not None]
    assert not early, f"A `result` is only there at the end. `status` said {early[0]}."


@pytest.mark.todo(2)
def test_status_rounds_down(kata, page_of):
    """The `percent` of PROGRESS is a whole number, rounded down."""
    for done, total, percent in (1, 3, 33), (2, 3, 66), (29, 50, 58), (199, 200, 99):
        task_id = str(uuid.uuid4())
        kata.app.backend.store_result(task_id, {"done": done, "total": total}, "PROGRESS")

        said = page_of(task_id)["percent"]

        assert repr(said) == repr(percent), (  # 33.0 is equal to 33
            f"With {done} of {total} photos done `status` says that `percent` is {said!r}. "
            f"It must be {percent}."
        )


@pytest.mark.todo(2)
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(None, id="bad photo"),
        pytest.param(TimeoutError(), id="no argument"),
        pytest.param(FileNotFoundError(2, "No such file"), id="two arguments"),
    ],
)
def test_status_tells_the_error(send, celery_worker, studio, settle, page_of, error):
    """When an album has failed, `status` has the text of the error, and no percentage."""
    good, bad = some_album(2)
    studio.error = error
    studio.open()
    result = send([good, -bad])
    settle()

    page = page_of(result.id)

    assert page["state"] == "FAILURE", f"The album has failed. `status` says {page}."
    text = str(error) if error else f"photo -{bad} is damaged"
    assert has_text(page, text), (
        f"`status` says {page}.\nThe `error` must say: {text!r}. "
        "The name of the class may stand before it; leave the traceback out."
    )
    assert page["percent"] is None, (
        f"`status` says {page}.\nThe error has taken the place of the numbers in the back end: "
        "`percent` must be None."
    )


ONE_OF_TWO = ("PROGRESS", {"done": 1, "total": 2}, 50)
FAILED = ("FAILURE", ValueError("photo -2 is damaged"), None)
DONE = ("SUCCESS", ["photo-1.jpg", "photo-2.jpg"], 100)


@pytest.mark.todo(2)
@pytest.mark.parametrize(
    "story",
    [
        pytest.param([], id="unknown id"),
        pytest.param([("REVOKED", TaskRevokedError("revoked"), None)], id="revoked"),
        pytest.param([("RETRY", Retry("again", ValueError("busy")), None)], id="retry"),
        pytest.param([("UPLOADING", None, None)], id="state of another task"),
        pytest.param([ONE_OF_TWO, DONE], id="ends meanwhile"),
        pytest.param([ONE_OF_TWO, FAILED], id="fails meanwhile"),
        pytest.param([("STARTED", {"pid": 1}, 0), ONE_OF_TWO, DONE], id="goes on meanwhile"),
    ],
)
def test_status_never_raises(kata, looks, page_of, story):
    """`status` tells the truth in every state, also when the album goes on while it looks."""
    task_id = str(uuid.uuid4())
    still_to_come = list(story)

    def go_on():
        if still_to_come:
            state, value, _ = still_to_come.pop(0)
            kata.app.backend.store_result(task_id, value, state)

    go_on()
    looks.after_each_read = go_on

    meanwhile = " and then ".join(state for state, *_ in story)
    hint = f"\nWhile `status` looked, the state was {meanwhile}." if len(story) > 1 else ""
    try:
        page = page_of(task_id)
    except (AssertionError, NotImplementedError):
        raise
    except Exception as error:
        text = f"`status` raised {type(error).__name__}: {error}.{hint}"
        raise AssertionError(text).with_traceback(error.__traceback__) from None

    said = page["state"], page["percent"]
    true = [(state, percent) for state, _, percent in story] or [("PENDING", 0)]
    assert said in true, (
        f"`status` said {page}.\nState and percent must be {' or '.join(map(str, true))}.{hint}"
    )
    if said[0] == "SUCCESS":
        assert page.get("result") == DONE[1], f"`status` said {page}: that is not the result."
    if said[0] == "FAILURE":
        assert has_text(page, str(FAILED[1])), f"`status` said {page}: no such error."


@pytest.mark.todo(3)
@pytest.mark.parametrize("count", [6, 1])
def test_follow_tells_each_change(celery_worker, followed, count):
    """`follow` calls `on_percent` for each change, once, up to 100, and returns the paths."""
    photo_ids = some_album(count)
    told, value = followed(photo_ids)

    assert told[told[:1] == [0] :] == percents(count), (
        f"Photos in the album: {count}. `on_percent` was called with {told}.\n"
        f"It must be {percents(count)}; a 0 before them is right, too."
    )
    assert value == paths_of(photo_ids), (
        f"`follow` returned {value!r}. It must return the paths: {paths_of(photo_ids)}."
    )


@pytest.mark.todo(3)
@pytest.mark.parametrize("moment", ["after the first look", "before the first look"])
@pytest.mark.parametrize("last", ["good", "bad"])
def test_follow_ends_as_the_album_ends(
    kata, send, celery_worker, studio, looks, settle, must_raise, moment, last
):
    """`follow` tells 100 and returns, or raises the album's error, whenever the album ends."""
    first, second = some_album(2)
    result = send([first, second if last == "good" else -second])
    photo = studio.each_photo()
    next(photo, None)
    next(photo, None)

    def end():
        studio.open()
        settle()

    if moment == "after the first look":
        looks.after_each_read = end
    else:
        end()
    told = []

    with looks.of_follow():
        if last == "bad":
            text = f"photo -{second} is damaged"
            must_raise("`follow`", "studio.BadPhoto", text, kata.follow, result, told.append)
        else:
            value = kata.follow(result, told.append)

    possible = [0, 50, 100] if last == "good" else [0, 50]
    assert told == [percent for percent in possible if percent in told], (
        f"Two photos, the last one {last}: `on_percent` was called with {told}.\n"
        f"It may be told {possible}, each once and in this order."
    )
    if last == "good":
        assert value == paths_of([first, second]), f"`follow` returned {value!r}."
        assert told[-1:] == [100], (
            f"The album ended {moment} of `follow`: `on_percent` was called with {told}. "
            "The last call must say 100."
        )


@pytest.mark.todo(3)
def test_follow_ends_when_the_album_is_revoked(kata, looks, must_raise):
    """An album that was revoked has ended: `follow` raises TaskRevokedError."""
    result = kata.app.AsyncResult(str(uuid.uuid4()))
    kata.app.backend.store_result(result.id, TaskRevokedError("revoked"), "REVOKED")
    told = []

    with looks.of_follow():
        must_raise("`follow`", "TaskRevokedError", "revoked", kata.follow, result, told.append)

    assert told == [], f"`on_percent` was called with {told}. Nobody knows a percentage here."


@pytest.mark.todo(3)
def test_follow_does_not_hammer(celery_worker, followed, looks):
    """`follow` looks at the back end at most once in INTERVAL seconds."""
    followed(some_album(3))

    assert looks.most_at_once <= 10, (
        f"`follow` read the result back end {looks.most_at_once} times without a pause."
    )
    assert looks.most_looks <= 1, (
        f"`follow` looked {looks.most_looks} times between two pauses; one is allowed."
    )
    assert looks.shortest_pause >= INTERVAL - 1e-3, (
        f"`follow` paused for {looks.shortest_pause:g} s between two looks. "
        f"INTERVAL is {INTERVAL} s."
    )
