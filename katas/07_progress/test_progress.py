"""Tests of kata 07. Each docstring is one requirement."""

import random
import re
from pathlib import Path

import pytest
from celery.exceptions import Retry, TaskRevokedError

pytestmark = pytest.mark.usefixtures("naps")


def some_album(count):
    return random.sample(range(1, 9999), count)


def paths_of(photo_ids):
    return [f"photo-{photo_id}.jpg" for photo_id in photo_ids]


def hint(kata, did):
    """A line for what `get` of a good album did, or "" if nothing is to be said."""
    source = Path(kata.__file__).read_text(encoding="utf-8")
    if "unhashable" in did and re.search(r"update_state\(\s*[\"']", source):
        return "The first argument of `update_state` is task_id: write `state=…, meta=…`.\n"
    if "generator" in did and "JSON" in did:
        return "`yield` makes it a generator. Use `update_state`, and return the list.\n"
    return ""


def with_a_double(photo_ids):
    """Somebody likes the first photo: it is in the album two times."""
    return photo_ids[:1] + photo_ids


def progress(done, total):
    return "PROGRESS", {"done": done, "total": total}


def entry(state, value):
    """One entry of the diary, as text."""
    if state == "PROGRESS" and isinstance(value, dict) and {"done", "total"} <= set(value):
        value = {"done": value["done"], "total": value["total"]}  # more does no harm
    return f"{state} {value!r}" if state in ("photo", "PROGRESS") else state


def why_not(step, seen, must, last, albums):
    """What may be said of a wrong step of the album."""
    if step == 0 and seen != "nothing more":
        return (
            "\nThe worker has started it, and nobody has stored STARTED in the back end. "
            "Celery stores it only when asked: `track_started`."
        )
    if seen is None:
        return "\n`update_state` was given no state: `state=…`."
    if must == "FAILURE" and seen != "RETRY":
        return (
            f"\nThe {last} is bad: `render_photo` raised BadPhoto, and the album went on. "
            "Let the error pass."
        )
    if must.startswith("PROGRESS") and not seen.startswith("PROGRESS"):
        return (
            f"\nThe {last} is done, and nothing was stored. First store that with `update_state`."
        )
    if must.startswith("photo") and seen == last:
        return "\nOne report after each photo is enough."
    if must.startswith("photo") and seen.startswith("PROGRESS"):
        return "\nThe report came before the photo. Report after `render_photo` has returned."
    if albums and seen.startswith("PROGRESS"):
        return (
            "\nAnother album was rendered before. What is kept outside the function, or on "
            "`self`, is still there."
        )
    return ""


def check_diary(back_end, photo_ids, end="SUCCESS"):
    """Fail unless all that happened to the album is what must happen, in this order."""
    assert not back_end.by_hand, (
        f"TODO 1: The task has stored {back_end.by_hand} by itself. Leave that to Celery, which "
        "does it when the task returns or raises: callbacks and retries hear only of that."
    )
    must = ["STARTED"]
    for done, photo_id in enumerate(photo_ids, 1):
        must.append(f"photo {photo_id}")
        if photo_id < 1:
            break
        must.append(entry(*progress(done, len(photo_ids))))
    must += [end, "nothing more"]
    seen = [*(entry(state, value) for _, state, value in back_end.diary), "nothing more"]
    while seen[:2] == ["STARTED", "STARTED"]:  # from Celery and by hand
        del seen[0]
    for step, (is_so, must_be) in enumerate(zip(seen, must, strict=False)):
        assert is_so == must_be, (
            f"TODO 1: The album is {photo_ids}.\n"
            f"After {must[step - 1] if step else 'it was sent'} (step {step}) came: {is_so}.\n"
            f"It must be: {must_be}."
            + why_not(step, is_so, must_be, must[step - 1], back_end.albums)
        )
    back_end.albums += 1


@pytest.mark.todo(1)
@pytest.mark.parametrize("count", [5, 1, 0])
def test_a_worker_renders_the_album(send, kata, celery_worker, outcome_of, count):
    """`render_album` is a task; its result is the list of the paths, one for each photo."""
    photo_ids = with_a_double(some_album(count - 1)) if count > 1 else some_album(count)

    did, _ = outcome_of(send(photo_ids).get)

    must = paths_of(photo_ids) if did.startswith("returned") else "the paths"
    assert did == f"returned {paths_of(photo_ids)}", (
        f"The album is {photo_ids}. `get` {did}.\n{hint(kata, did)}It must return {must}."
    )


@pytest.mark.todo(1)
def test_progress_after_each_photo(send, celery_worker, back_end, settle, naps):
    """The state is STARTED until the first photo is done; after each photo it is PROGRESS."""
    album = with_a_double(some_album(3))
    # With more than 100 photos some change no percentage.
    for photo_ids in album, album, with_a_double(some_album(4)), some_album(110), []:
        back_end.diary.clear()

        send(photo_ids)
        settle()

        check_diary(back_end, photo_ids)
        assert not naps, "The task has slept. It must begin with the next photo at once."


@pytest.mark.todo(1)
@pytest.mark.parametrize("place", ["first", "last", "only"])
def test_a_bad_photo_fails_the_album(send, celery_worker, back_end, settle, outcome_of, place):
    """When a photo is bad, the task fails, and `get` raises the error of `render_photo`."""
    good, bad = some_album(2)
    photo_ids = {"first": [-bad, good], "last": [good, -bad], "only": [-bad]}[place]

    for ids, end in (photo_ids, "FAILURE"), ([good], "SUCCESS"), (photo_ids, "FAILURE"):
        back_end.diary.clear()
        result = send(ids)
        settle()

        check_diary(back_end, ids, end)
        failed = f"raised BadPhoto: photo -{bad} is damaged"
        must = failed if end == "FAILURE" else f"returned {paths_of(ids)}"
        did, _ = outcome_of(result.get)
        assert did == must, f"The album is {ids}. `get` {did}.\nExpected: `get` {must}."


STARTED = ("STARTED", {"pid": 1, "hostname": "worker1@kata"})
BAD = ("FAILURE", ValueError("photo -2 is damaged"))
STRANGE = [("FAILURE", TimeoutError()), ("FAILURE", FileNotFoundError(2, "No such file"))]
RETRY = ("RETRY", Retry("again", ValueError("busy")))
REVOKED = ("REVOKED", TaskRevokedError("revoked"))
DONE = ("SUCCESS", ["photo-1.jpg", "photo-2.jpg"])
PARTS = [(2, 3), (29, 50), (57, 100), (1, 300), (199, 200)]  # done and total
SIX = [progress(done, 6) for done in range(1, 7)]
HALF = progress(1, 2)
OTHER = ("PRINTING", {"done": 1, "total": 2})  # a state of some other task


@pytest.mark.todo(2)
@pytest.mark.parametrize(
    "story",
    [
        pytest.param([], id="unknown id"),
        pytest.param([STARTED, HALF, progress(2, 2), DONE], id="good"),
        pytest.param([progress(*part) for part in PARTS], id="rounds down"),
        pytest.param([STARTED, ("SUCCESS", [])], id="empty"),
        pytest.param([STARTED, HALF, BAD, *STRANGE, STARTED], id="errors"),
        pytest.param([STARTED, RETRY, STARTED, REVOKED, OTHER], id="other states"),
    ],
)
def test_status_tells_each_state(page_of, album, story):
    """`status` says at each moment what is known: state, percentage, and result or error."""
    (task_id, go_on), pages = album(story), []
    for _ in range(len(story) + 1):
        pages.append((page := page_of(task_id), repr(page)))
        go_on()
    page_of(album([])[0])  # what is known of one album is not known of another

    changed = [before for page, before in pages if repr(page) != before]
    assert not changed, f"A later call has changed {changed[0]}. Make a new dict in each call."


@pytest.mark.todo(2)
@pytest.mark.parametrize(
    "story",
    [
        pytest.param([HALF, DONE], id="ends"),
        pytest.param([HALF, BAD], id="fails"),
        pytest.param([HALF, REVOKED], id="is revoked"),
        pytest.param([STARTED, HALF, DONE], id="goes on and ends"),
        pytest.param([BAD, STARTED, HALF], id="is run again"),
    ],
)
def test_status_tells_the_truth_meanwhile(page_of, album, back_end, monkeypatch, story):
    """All that `status` says was true at one moment, also when the album goes on meanwhile."""
    task_id, go_on = album(story)
    go_on()
    monkeypatch.setattr(back_end, "after_read", go_on)

    page_of(task_id)


@pytest.mark.todo(2)
@pytest.mark.parametrize("sign", [1, -1], ids=["good", "bad"])
def test_status_of_an_album_in_the_worker(send, start_worker, page_of, back_end, settle, sign):
    """`status` tells about an album before a worker has it, and when it has ended."""
    photo_ids = [*some_album(3), sign * random.randint(1, 99)]
    result = send(photo_ids)

    page_of(result.id)
    start_worker()
    settle()
    check_diary(back_end, photo_ids, "SUCCESS" if sign > 0 else "FAILURE")
    page_of(result.id)


def check_followed(seen, told, did, what):
    seen_told, seen_did, where = seen
    text = f"{what}\n`follow` {seen_did}.\n`on_percent` was told {seen_told}.\n"
    if seen_did != did:
        raise AssertionError(f"{text}Expected: `follow` {did}.").with_traceback(where)
    assert seen_told == told, f"{text}It must be told {told}."


@pytest.mark.todo(3)
@pytest.mark.parametrize(
    ("story", "told"),
    [
        pytest.param([STARTED, *SIX], [0, 16, 33, 50, 66, 83, 100], id="six photos"),
        pytest.param([progress(1, 1)], [0, 100], id="one photo"),
        pytest.param([STARTED], [0, 100], id="no photo"),
        pytest.param([progress(n, 200) for n in (1, 2, 3, 4)], [0, 1, 2, 100], id="many photos"),
        pytest.param([HALF, RETRY, OTHER, HALF, RETRY, STARTED], [0, 50, 0, 100], id="retry"),
    ],
)
def test_follow_tells_each_change(album, followed, story, told):
    """`follow` tells the first percentage and each change, up to 100, and returns the paths."""
    for paths in paths_of(some_album(1)), []:
        whole = [*story, ("SUCCESS", paths)]
        task_id, go_on = album(whole)

        seen = followed(task_id, go_on)

        states = ", ".join(state for state, _ in whole)
        what = f"The album went on in each `pause()`: PENDING, {states}."
        check_followed(seen, told, f"returned {paths}", what)
        what = "The same album is followed again. It has ended with SUCCESS."
        check_followed(followed(task_id, go_on), [100], f"returned {paths}", what)


ENDS = {
    "good": (DONE, [0, 50, 100], f"returned {DONE[1]}"),
    "bad": (BAD, [0, 50], "raised ValueError: photo -2 is damaged"),
    "revoked": (REVOKED, [0, 50], "raised TaskRevokedError: revoked"),
}


BEFORE = {"in a pause": 0, "after the first look": 2, "before the first look": 3}  # records


@pytest.mark.todo(3)
@pytest.mark.parametrize("moment", BEFORE)
@pytest.mark.parametrize("end", ENDS)
def test_follow_ends_as_the_album_ends(album, followed, back_end, end, moment):
    """`follow` tells 100 and returns, or raises the album's error, whenever the album ends."""
    last, told, did = ENDS[end]
    task_id, go_on = album([STARTED, HALF, last])
    for _ in range(BEFORE[moment]):
        go_on()

    seen = followed(task_id, go_on, "pause" if moment == "in a pause" else "look")

    first = back_end.pages[0]["state"] if back_end.pages else ""
    saw_half = first == "PROGRESS" or (seen[0][:1] == [50] and "after" in moment)
    if moment != "in a pause":
        told = told[1:] if saw_half else told[2:]
    check_followed(seen, told, did, f"The album ended with {last[0]} {moment}.")


@pytest.mark.todo(3)
@pytest.mark.parametrize("sign", [1, -1], ids=["good", "bad"])
def test_follow_an_album_in_the_worker(send, start_worker, followed, back_end, settle, sign):
    """`follow` returns the paths of a real album, or raises the error of its bad photo."""
    photo_ids = [*some_album(2), sign * random.randint(1, 99)]
    end, told, did = "SUCCESS", [0, 100], f"returned {paths_of(photo_ids)}"
    if sign < 0:
        end, told, did = "FAILURE", [0], f"raised BadPhoto: photo {photo_ids[-1]} is damaged"

    def go_on():
        start_worker()
        settle()
        check_diary(back_end, photo_ids, end)

    seen = followed(send(photo_ids).id, go_on)

    check_followed(seen, told, did, "The album was made in the first `pause()`.")
