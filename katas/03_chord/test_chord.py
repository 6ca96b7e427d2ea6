"""Tests of kata 03. Each docstring is one requirement."""

import random

import pytest
from celery.canvas import Signature
from celery.exceptions import ChordError
from celery.result import AsyncResult

estimate = pytest.param("estimate", marks=pytest.mark.todo(2))
with_spare = pytest.param("estimate_with_spare", marks=pytest.mark.todo(3))


def some_pages(count):
    return [random.randint(0, 9) for _ in range(count)]


def ink(pages):
    return [2 + 5 * page for page in pages]


def shown(result):
    """What a function returned. A signature is easily taken for a message that was sent."""
    if not isinstance(result, Signature):
        return repr(result)
    try:
        return f"the signature {result!r}, and nobody has sent it"
    except Exception:  # so ends Celery's repr
        return f"a {type(result).__name__}, and not all that it is made of are signatures"


@pytest.mark.todo(1)
def test_total_ink_adds_up_a_list(kata, eager):
    """`total_ink` is a task that adds up one list, with spare ink in per cent on top."""
    assert "tasks.total_ink" in kata.app.tasks, "`total_ink` is not a task of `app`."
    amounts = [random.randint(1, 500) for _ in range(5)]
    assert kata.total_ink.delay(amounts).get() == sum(amounts)
    assert kata.total_ink([40, 60], spare_percent=10) == 110
    for some, percent in [(amounts, 10), ([13, 12], 50), ([13, 12], 30), ([], 10)]:
        total, expected = kata.total_ink(some, percent), sum(some) * (100 + percent) // 100
        assert (total, type(total)) == (expected, int), (
            f"total_ink({some}, {percent}) must return {expected}, a whole number that is "
            f"rounded down. It returned {total!r}."
        )


@pytest.mark.todo(2)
def test_estimate_does_not_wait(kata, timeline):
    """`estimate` sends every page, but not the total, and returns at once."""
    pages = some_pages(5)

    result = kata.estimate(pages)

    assert isinstance(result, AsyncResult), (
        f"`estimate` must return an AsyncResult. It returned {shown(result)}."
    )
    assert not timeline.reads(), (
        "`estimate` asked for a result (by get, ready, state …) before it returned. No worker was "
        "running yet."
    )
    sent = sorted(e.args for e in timeline.sent("tasks.ink_for_page"))
    assert sent == sorted((page,) for page in pages), (
        f"{len(pages)} pages made {len(sent)} messages for `tasks.ink_for_page`: {sent}. The "
        "header of a chord is made of signatures; `ink_for_page(3)` runs here and now."
    )
    assert not timeline.sent("tasks.total_ink"), (
        "`tasks.total_ink` was sent before a single page was done."
    )


@pytest.mark.todo(2)
@pytest.mark.worker(concurrency=2)
def test_the_total_comes_once_and_last(kata, celery_worker, timeline, hold, settle):
    """`total_ink` runs once, after every page, and is handed one list in page order."""
    pages = random.sample(range(10), 5)
    hold(
        "tasks.ink_for_page",
        first=1,
        until=lambda: len(timeline.succeeded("tasks.ink_for_page")) == 4,
    )

    result = kata.estimate(pages)

    assert result.get() == sum(ink(pages))
    settle()
    totals = timeline.started("tasks.total_ink")
    assert len(totals) == 1, f"`total_ink` ran {len(totals)} times. It must run once."
    assert totals[0].args == (ink(pages),), (
        f"`total_ink` was handed {totals[0].args}. It must be handed one list: {ink(pages)}."
    )
    assert timeline.in_order(timeline.started("tasks.ink_for_page"), totals), (
        "`total_ink` started before every page."
    )
    assert result.id == totals[0].id, "`estimate` must return the result of `total_ink`."


@pytest.mark.todo(2)
@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_book_of_any_length(kata, celery_worker, timeline, count):
    """A book may have no page, one page or fifty. The total is always handed a list."""
    pages = some_pages(count)

    assert kata.estimate(pages).get() == sum(ink(pages))
    handed = [e.args[0] for e in timeline.started("tasks.total_ink")]
    assert handed == [ink(pages)], f"`total_ink` was handed {handed}."
    pages_run = len(timeline.started("tasks.ink_for_page"))
    assert pages_run == count, f"{count} pages made {pages_run} runs of `ink_for_page`."


@pytest.mark.todo(2)
@pytest.mark.worker(concurrency=2)
def test_pages_run_side_by_side(kata, celery_worker, timeline, hold):
    """Two workers can work on two pages of one book at the same time."""
    hold(
        "tasks.ink_for_page",
        until=lambda: len(timeline.started("tasks.ink_for_page")) >= 2,
    )

    kata.estimate(some_pages(4)).get()

    started = timeline.started("tasks.ink_for_page")
    assert len(started) == 4, f"4 pages made {len(started)} runs of `ink_for_page`."
    assert timeline.in_order(started[:2], timeline.succeeded("tasks.ink_for_page")), (
        "The second page started only when the first one was done."
    )


@pytest.mark.todo(3)
def test_spare_ink_reaches_the_total(kata, celery_worker, timeline):
    """`estimate_with_spare` hands `total_ink` the list of amounts and the percentage."""
    pages, percent = some_pages(6), random.randint(5, 60)

    result = kata.estimate_with_spare(pages, percent)

    assert isinstance(result, AsyncResult), (
        f"`estimate_with_spare` must return an AsyncResult. It returned {shown(result)}."
    )
    assert result.get() == sum(ink(pages)) * (100 + percent) // 100
    totals = timeline.started("tasks.total_ink")
    assert len(totals) == 1, f"`total_ink` ran {len(totals)} times. It must run once."
    assert totals[0].args[0] == ink(pages), f"`total_ink` ran as {totals[0].call}."
    assert percent in (*totals[0].args, *totals[0].kwargs.values()), (
        f"The percentage {percent} did not reach `total_ink`: it ran as {totals[0].call}."
    )
    assert kata.estimate_with_spare([3], 50).get() == 25


@pytest.mark.todo(2)
def test_a_bad_page_means_no_total(kata, celery_worker, timeline, settle):
    """When one page fails, `total_ink` never runs, and the caller gets the error."""
    pages = [1, 2, -1, 3]

    result = kata.estimate(pages)

    with pytest.raises((ChordError, ValueError), match="cannot hold -1 photos"):
        result.get()
    settle()
    assert not timeline.started("tasks.total_ink"), "`total_ink` ran without all the pages."
    pages_run = len(timeline.started("tasks.ink_for_page"))
    assert pages_run == len(pages), f"{len(pages)} pages made {pages_run} runs."


@pytest.mark.parametrize("name", [estimate, with_spare])
@pytest.mark.worker(concurrency=4)
def test_nobody_waits_for_a_page(kata, celery_worker, timeline, settle, name):
    """No function and no task waits for the result of a page."""
    getattr(kata, name)(*([some_pages(3)] if name == "estimate" else [some_pages(3), 20]))
    settle()

    totals = len(timeline.succeeded("tasks.total_ink"))
    assert totals == 1, f"`{name}` of one book made {totals} totals. It must make one."
    for read in timeline.reads():
        task = next((e.task for e in timeline.started() if e.id == read.reader), None)
        who = f"`{task}`, a task of `{name}`," if task else f"`{name}`"
        pytest.fail(f"{who} asked for a result (by get, ready, state …). A chord needs nobody to.")
