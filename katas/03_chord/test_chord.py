"""Tests of kata 03. Each docstring is one requirement."""

import random
from collections import Counter

import pytest
from celery.exceptions import ChordError

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


def how_exactly(amounts, percent, total):
    """What a total comes of, and why floats may miss it."""
    text = f"It is {sum(amounts)} and {percent} per cent of it, rounded down."
    factor = 1 + percent / 100
    if not percent or total == sum(amounts):
        return text
    text += " Stay with whole numbers: multiply first, then `// 100`."
    if int(sum(amounts) * factor) < sum(amounts) * (100 + percent) // 100:
        text += f"\nIn floats {sum(amounts)} * {factor} is {sum(amounts) * factor}."
    return text


@pytest.mark.todo(1)
def test_total_ink_adds_up_a_list(kata, eager, check_task):
    """`total_ink` is a task that adds up one list, with spare ink in per cent on top."""
    check_task()
    amounts = [random.randint(1, 500) for _ in range(5)]
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
            f"total_ink({some}, {percent}) must return {expected}, a whole number. It returned "
            f"{total!r}.\n{how_exactly(some, percent, total)}"
        )
        assert given == some, f"total_ink({some}, {percent}) changed its list to {given}."
    total, expected = kata.total_ink.delay([3, 4], spare_percent=100).get(), 14
    text = f"total_ink.delay([3, 4], spare_percent=100) must give {expected}. It gave {total}."
    assert total == expected, text


@pytest.mark.parametrize("name", [estimate, with_spare])
def test_everything_is_sent_at_once(kata, timeline, naps, call, name):
    """The function sends every page, but not the total, and returns at once."""
    books, percent = [some_pages(5), some_pages(3)], [20] * (name == "estimate_with_spare")
    books.append(list(books[0]))

    results, marks = [], [0]
    for pages in books:
        results.append(call(name, pages, *percent))
        marks.append(len(timeline.sent(PAGE)))

    assert not timeline.waits(), f"`{name}` waited for a result before it returned."
    assert not naps, f"`{name}` called `time.sleep`, for {naps} seconds. It must return at once."
    given = kata.ink_for_page
    same = (given.name, given.ignore_result, given.max_retries, given(3)) == (PAGE, False, 3, 17)
    assert same, "`ink_for_page` is given, and complete. Leave it as it is, with its options."
    for e in timeline.sent():
        assert e.task in kata.app.tasks, (
            f"`{name}` sent a message for the task '{e.task}', and there is none. A header is made "
            "of signatures: `ink_for_page.s(3)` is one. `ink_for_page(3)` is a number."
        )
    messages = timeline.sent(PAGE)
    assert messages, f"`{name}` sent no message for `ink_for_page`. It must send one for each page."
    for n, pages in enumerate(books):
        sent = [number for e in messages[marks[n] : marks[n + 1]] for number in numbers(e)]
        assert Counter(map(repr, sent)) == Counter(map(repr, pages)), (
            f"`{name}` was called for the pages {pages}.\nIt sent `ink_for_page` for the pages "
            f"{sent}."
        )
    early = timeline.sent(getattr(kata.total_ink, "name", ""))
    assert not early, "`total_ink` was sent before a single page was done."
    assert len({result.id for result in results}) == len(books), (
        f"`{name}` was called for three books. Their results share one id. Let Celery make the "
        "ids, and make a new signature for each book."
    )


@pytest.mark.todo(2)
@pytest.mark.worker(concurrency=2)
def test_the_total_comes_once_and_last(
    call, other_ink, celery_worker, timeline, hold, settle, total_of
):
    """`total_ink` runs once, after every page, and is handed one list in page order."""
    pages = random.sample(range(10), 5)
    hold(PAGE, first=1, until=lambda: len(timeline.succeeded(PAGE)) == 4)

    result = call("estimate", pages)
    settle()

    amounts = other_ink.amounts(pages)
    expected = other_ink.total(amounts)
    run = total_of("estimate", result)
    other_ink.check_handed(run, pages)
    assert timeline.in_order(timeline.started(PAGE), [run]), (
        "`total_ink` started before every page."
    )
    assert result.id == run.id, "`estimate` must return the result of `total_ink`."
    total = result.get()
    assert total == expected, f"estimate({pages}) gave {total!r}. It must give {expected}."


@pytest.mark.todo(2)
@pytest.mark.parametrize("count", [50, 1, 0])
def test_a_book_of_any_length(call, other_ink, celery_worker, timeline, settle, total_of, count):
    """A book may have no page, one page or fifty. The total is always handed a list."""
    pages = some_pages(count)

    result = call("estimate", pages)
    settle()

    amounts = other_ink.amounts(pages)
    expected = other_ink.total(amounts)
    run = total_of("estimate", result)
    other_ink.check_handed(run, pages)
    ran = len(timeline.started(PAGE))
    assert ran == count, f"A book of {count} pages made {ran} runs of `ink_for_page`."
    total = result.get()
    assert total == expected, f"A book of {count} pages gave {total!r}. It must give {expected}."


@pytest.mark.parametrize("name", [estimate, with_spare])
@pytest.mark.worker(concurrency=2)
def test_pages_run_side_by_side(call, celery_worker, timeline, hold, settle, name):
    """Two workers can work on two pages of one book at the same time."""
    hold(PAGE, until=lambda: len(timeline.started(PAGE)) >= 2)

    call(name, some_pages(4), *[20] * (name == "estimate_with_spare"))
    settle()

    started = timeline.started(PAGE)
    assert len(started) == 4, f"4 pages made {len(started)} runs of `ink_for_page`."
    assert timeline.in_order(started[:2], timeline.succeeded(PAGE)), (
        "The second page started only when the first one was done."
    )


@pytest.mark.todo(3)
@pytest.mark.parametrize("count", [6, 1, 0])
def test_spare_ink_reaches_the_total(call, other_ink, celery_worker, settle, total_of, count):
    """`estimate_with_spare` hands `total_ink` the list of amounts and the percentage."""
    pages, percent, name = some_pages(count), random.randint(5, 60), "estimate_with_spare"

    result = call(name, pages, percent)
    settle()

    amounts = other_ink.amounts(pages)
    expected = other_ink.total(amounts, percent)
    run = total_of(name, result)
    other_ink.check_handed(run, pages, percent)
    assert result.id == run.id, f"`{name}` must return the result of `total_ink`."
    total = result.get()
    assert total == expected, f"{name}({pages}, {percent}) gave {total!r}, not {expected}."


@pytest.mark.todo(3)
def test_every_book_has_its_own_percentage(call, other_ink, celery_worker):
    """A percentage is for one book. The next book has its own, or none."""
    pages = some_pages(3)
    amounts = other_ink.amounts(pages)

    for n, percent in enumerate(([], [50], [], [80], [50])):
        name = "estimate_with_spare" if percent else "estimate"
        text = f"{name}({', '.join(map(str, [pages, *percent]))})"
        try:
            total = call(name, pages, *percent).get()
        except (NotImplementedError, ChordError):
            raise
        except Exception as error:
            if n:
                raise
            what = f"{text} raised {type(error).__name__}: {error}"
            if isinstance(error, AssertionError):  # its text says all
                what = str(error)
            what = what if "TODO" in what else f"TODO 2: {what}"
            raise AssertionError(what).with_traceback(error.__traceback__) from None
        text += f" gave {total!r}"
        expected = other_ink.total(amounts, *percent)
        assert total == expected or n, f"TODO 2: {text}, not {expected}."
        assert total == expected, (
            f"{text}, not {expected}. Both functions were called for this book before. Make a "
            "new signature for each call, and let Celery make the ids."
        )


@pytest.mark.parametrize("name", [estimate, with_spare])
def test_a_bad_page_means_no_total(kata, call, celery_worker, timeline, settle, name):
    """When one page fails, `total_ink` never runs, and the result has the error."""
    for place in (0, 1, 3):
        pages, before = [1, 2, 3], len(timeline.started(PAGE))
        pages.insert(place, -1)

        try:
            result = call(name, pages, *[20] * (name == "estimate_with_spare"))
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
            raise AssertionError(
                f"A book with the pages {pages} gave {total!r}. `ink_for_page` is given, and "
                "raises ValueError for -1. Then there is no total: `get()` raises that error."
            )
        totals = timeline.started(getattr(kata.total_ink, "name", ""))
        assert not totals, "`total_ink` ran without all the pages."
        ran = len(timeline.started(PAGE)) - before
        assert ran == len(pages), f"{len(pages)} pages made {ran} runs of `ink_for_page`."


@pytest.mark.parametrize("name", [estimate, with_spare])
@pytest.mark.worker(concurrency=4)
def test_nobody_waits_for_a_page(call, celery_worker, timeline, settle, total_of, name):
    """No function and no task waits for the result of a page."""
    result = call(name, some_pages(3), *[20] * (name == "estimate_with_spare"))
    assert not timeline.waits(), f"`{name}` waited for a result. A chord needs nobody to wait."
    settle()

    total_of(name, result)
