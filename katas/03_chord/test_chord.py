"""Tests of kata 03. Each docstring is one requirement."""

import random
from collections import Counter

import pytest
from celery import Task
from celery.canvas import Signature
from celery.exceptions import ChordError, TimeoutError
from celery.result import AsyncResult

pytestmark = pytest.mark.usefixtures("naps")

estimate = pytest.param("estimate", marks=pytest.mark.todo(2))
with_spare = pytest.param("estimate_with_spare", marks=pytest.mark.todo(3))
PAGE = "tasks.ink_for_page"


def some_pages(count):
    """Pages of a book. Of three and more one has no photo, and two are alike."""
    pages = [random.randint(0, 9) for _ in range(count)]
    if count >= 3:
        pages[:3] = [0, pages[0], pages[0]]
    return random.sample(pages, count)


def numbers(event):
    """The arguments of a task that takes one, by position or by name."""
    return [*event.args, *event.kwargs.values()]


def shown(result):
    """What a function returned. A signature is easily taken for a message that was sent."""
    if not isinstance(result, Signature):
        return repr(result)
    try:
        return f"the signature {result!r}, and nobody has sent it"
    except Exception:  # so ends Celery's repr
        return f"a {type(result).__name__}, and not all that it is made of are signatures"


def check_total(kata, amounts, percent=0):
    """What `total_ink` makes of the amounts. If it cannot, that is the fault of TODO 1."""
    text = f"TODO 1: total_ink({amounts}, {percent})"
    assert isinstance(kata.total_ink, Task), "TODO 1: `total_ink` is not a task."
    try:
        total = kata.total_ink(list(amounts), percent)
    except NotImplementedError:
        raise
    except Exception as error:
        raise AssertionError(f"{text} raised {type(error).__name__}: {error}") from None
    assert isinstance(total, int), f"{text} returned {total!r}. It must be a whole number."
    assert not kata.total_ink.ignore_result, "TODO 1: `total_ink` throws its result away."
    return total


def call(kata, name, pages, *percent):
    """Call a function of the learner, and check what it returned and left of the list."""
    function, given = getattr(kata, name), list(pages)
    try:
        result = function(given, *percent)
    except TimeoutError as error:
        text = f"`{name}` waited for a result, until its time-out."
        raise AssertionError(text).with_traceback(error.__traceback__) from None
    except TypeError as error:
        if pages:
            raise
        text = f"`{name}` was called for a book without a page.\nTypeError: {error}"
        raise AssertionError(text).with_traceback(error.__traceback__) from None
    except AttributeError as error:
        if isinstance(kata.total_ink, Task):
            raise
        text = f"TODO 1: `total_ink` is not a task, so `{name}` has no body.\n{error}."
        raise AssertionError(text).with_traceback(error.__traceback__) from None
    assert isinstance(result, AsyncResult), (
        f"`{name}` must return an AsyncResult. It returned {shown(result)}."
    )
    assert given == pages, f"`{name}` changed the caller's list of pages. It is {given} now."
    return result


def total_of(kata, timeline, name):
    """The message of the one run of `total_ink`. The run may have changed its own list since."""
    for wait in timeline.waits():
        task = next((e.task for e in timeline.started() if e.id == wait.reader), None)
        assert task is None, (
            f"`{task}`, a task of `{name}`, asked for the result of another task, and kept its "
            "place in the worker. A chord needs nobody to wait."
        )
    total = getattr(kata.total_ink, "name", "")
    runs = [e for e in timeline.started(total) if not e.eager]
    assert len(runs) == 1, f"`{name}` of one book ran `total_ink` {len(runs)} times, not once."
    return next((e for e in timeline.sent(total) if e.id == runs[0].id), runs[0])


@pytest.mark.todo(1)
def test_total_ink_adds_up_a_list(kata, eager):
    """`total_ink` is a task that adds up one list, with spare ink in per cent on top."""
    is_task = isinstance(kata.total_ink, Task) and kata.total_ink.name in kata.app.tasks
    assert is_task, "`total_ink` is not a task of `app`."
    amounts = [random.randint(1, 500) for _ in range(5)]
    total = kata.total_ink.delay(amounts, spare_percent=100).get()
    assert total == 2 * sum(amounts), f"total_ink.delay({amounts}, spare_percent=100) gave {total}."
    for some in (amounts, [], [7]):
        total = kata.total_ink(some)
        assert total == sum(some), f"total_ink({some}) must return {sum(some)}, not {total!r}."
    # Pairs that tell whole numbers from floats, and "rounded down" from its neighbours.
    exact = [([25], 16), ([100], 15), ([45], 40), ([29], 100), ([100], 29), ([60], 105)]
    halves = [([40, 60], 10), ([13, 12], 50), ([13, 12], 30), ([1, 1], 50), ([], 10), (amounts, 10)]
    for some, percent in exact + halves:
        given, expected = list(some), sum(some) * (100 + percent) // 100
        total = kata.total_ink(given, percent)
        assert (total, type(total)) == (expected, int), (
            f"total_ink({some}, {percent}) must return {expected}, a whole number that is "
            f"rounded down. It returned {total!r}."
        )
        assert given == some, f"total_ink({some}, {percent}) changed its list to {given}."


@pytest.mark.parametrize("name", [estimate, with_spare])
def test_everything_is_sent_at_once(kata, timeline, naps, name):
    """The function sends every page, but not the total, and returns at once."""
    books, percent = [some_pages(5), some_pages(3)], [20] * (name == "estimate_with_spare")
    books.append(list(books[0]))

    results = [call(kata, name, pages, *percent) for pages in books]

    assert not timeline.waits(), f"`{name}` waited for a result before it returned."
    assert not naps, f"`{name}` called `time.sleep`, for {naps} seconds. It must return at once."
    given = kata.ink_for_page
    same = (given.name, given.ignore_result, given.max_retries, given(3)) == (PAGE, False, 3, 17)
    assert same, "`ink_for_page` is given, and complete. Leave it as it is, with its options."
    sent = Counter(repr(number) for e in timeline.sent(PAGE) for number in numbers(e))
    wanted = Counter(repr(page) for pages in books for page in pages)
    for e in timeline.sent():
        assert e.task in kata.app.tasks, (
            f"`{name}` sent a message for the task '{e.task}', and there is none. A header is made "
            "of signatures: `ink_for_page.s(3)` is one. `ink_for_page(3)` is a number."
        )
    assert sent, f"`{name}` sent no message for `ink_for_page`. It must send one for each page."
    assert sent == wanted, (
        f"`{name}` was called for books with the pages {', '.join(sorted(wanted.elements()))}.\n"
        f"It sent `ink_for_page` for the pages {', '.join(sorted(sent.elements()))}."
    )
    early = timeline.sent(getattr(kata.total_ink, "name", ""))
    assert not early, "`total_ink` was sent before a single page was done."
    assert len({result.id for result in results}) == len(books), (
        f"`{name}` was called for three books. Their results share one id. Let Celery make the "
        "ids, and make a new signature for each book."
    )


@pytest.mark.todo(2)
@pytest.mark.worker(concurrency=2)
def test_the_total_comes_once_and_last(kata, other_ink, celery_worker, timeline, hold, settle):
    """`total_ink` runs once, after every page, and is handed one list in page order."""
    pages = random.sample(range(10), 5)
    hold(PAGE, first=1, until=lambda: len(timeline.succeeded(PAGE)) == 4)

    result = call(kata, "estimate", pages)
    settle()

    amounts = other_ink.amounts(pages)
    expected = check_total(kata, amounts)
    run = total_of(kata, timeline, "estimate")
    other_ink.check_handed(run, pages)
    assert timeline.in_order(timeline.started(PAGE), [run]), (
        "`total_ink` started before every page."
    )
    assert result.id == run.id, "`estimate` must return the result of `total_ink`."
    total = result.get()
    assert total == expected, f"estimate({pages}) gave {total!r}. It must give {expected}."


@pytest.mark.todo(2)
@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_book_of_any_length(kata, other_ink, celery_worker, timeline, settle, count):
    """A book may have no page, one page or fifty. The total is always handed a list."""
    pages = some_pages(count)

    result = call(kata, "estimate", pages)
    settle()

    amounts = other_ink.amounts(pages)
    expected = check_total(kata, amounts)
    run = total_of(kata, timeline, "estimate")
    other_ink.check_handed(run, pages)
    ran = len(timeline.started(PAGE))
    assert ran == count, f"A book of {count} pages made {ran} runs of `ink_for_page`."
    total = result.get()
    assert total == expected, f"A book of {count} pages gave {total!r}. It must give {expected}."


@pytest.mark.parametrize("name", [estimate, with_spare])
@pytest.mark.worker(concurrency=2)
def test_pages_run_side_by_side(kata, celery_worker, timeline, hold, settle, name):
    """Two workers can work on two pages of one book at the same time."""
    hold(PAGE, until=lambda: len(timeline.started(PAGE)) >= 2)

    call(kata, name, some_pages(4), *[20] * (name == "estimate_with_spare"))
    settle()

    started = timeline.started(PAGE)
    assert len(started) == 4, f"4 pages made {len(started)} runs of `ink_for_page`."
    assert timeline.in_order(started[:2], timeline.succeeded(PAGE)), (
        "The second page started only when the first one was done."
    )


@pytest.mark.todo(3)
@pytest.mark.parametrize("count", [0, 1, 6])
def test_spare_ink_reaches_the_total(kata, other_ink, celery_worker, timeline, settle, count):
    """`estimate_with_spare` hands `total_ink` the list of amounts and the percentage."""
    pages, percent, name = some_pages(count), random.randint(5, 60), "estimate_with_spare"

    result = call(kata, name, pages, percent)
    settle()

    amounts = other_ink.amounts(pages)
    expected = check_total(kata, amounts, percent)
    run = total_of(kata, timeline, name)
    other_ink.check_handed(run, pages, percent)
    assert result.id == run.id, f"`{name}` must return the result of `total_ink`."
    total = result.get()
    assert total == expected, f"{name}({pages}, {percent}) gave {total!r}, not {expected}."


@pytest.mark.todo(3)
def test_every_book_has_its_own_percentage(kata, other_ink, celery_worker):
    """A percentage is for one book. The next book has its own, or none."""
    pages = some_pages(3)
    amounts = other_ink.amounts(pages)

    for n, percent in enumerate(([], [50], [], [80], [50])):
        name = "estimate_with_spare" if percent else "estimate"
        text = f"{name}({', '.join(map(str, [pages, *percent]))})"
        try:
            total = call(kata, name, pages, *percent).get()
        except (NotImplementedError, ChordError):
            raise
        except Exception as error:
            if n:
                raise
            what = f"TODO 2: {text} raised {type(error).__name__}: {error}"
            raise AssertionError(what).with_traceback(error.__traceback__) from None
        text += f" gave {total!r}"
        expected = check_total(kata, amounts, *percent)
        assert total == expected or n, f"TODO 2: {text}, not {expected}."
        assert total == expected, (
            f"{text}, not {expected}. Both functions were called for this book before. Make a "
            "new signature for each call, and let Celery make the ids."
        )


@pytest.mark.parametrize("name", [estimate, with_spare])
def test_a_bad_page_means_no_total(kata, celery_worker, timeline, settle, name):
    """When one page fails, `total_ink` never runs, and the result has the error."""
    for place in (0, 1, 3):
        pages, before = [1, 2, 3], len(timeline.started(PAGE))
        pages.insert(place, -1)

        try:
            result = call(kata, name, pages, *[20] * (name == "estimate_with_spare"))
        except ValueError as error:
            text = f"`{name}` raised ValueError: {error}. It must return, and the result raises it."
            raise AssertionError(text).with_traceback(error.__traceback__) from None
        settle()
        try:
            total = result.get()
        except (ChordError, ValueError) as error:
            if "cannot hold -1 photos" not in str(error):
                raise
        else:
            pytest.fail(
                f"A book with the pages {pages} gave {total!r}. `ink_for_page` is given, and "
                "raises ValueError for -1. Then there is no total: `get()` raises that error."
            )
        totals = timeline.started(getattr(kata.total_ink, "name", ""))
        assert not totals, "`total_ink` ran without all the pages."
        ran = len(timeline.started(PAGE)) - before
        assert ran == len(pages), f"{len(pages)} pages made {ran} runs of `ink_for_page`."


@pytest.mark.parametrize("name", [estimate, with_spare])
@pytest.mark.worker(concurrency=4)
def test_nobody_waits_for_a_page(kata, celery_worker, timeline, settle, name):
    """No function and no task waits for the result of a page."""
    call(kata, name, some_pages(3), *[20] * (name == "estimate_with_spare"))
    assert not timeline.waits(), f"`{name}` waited for a result. A chord needs nobody to wait."
    settle()

    total_of(kata, timeline, name)
