"""Tests of kata 11. Each docstring is one requirement."""

import random
from collections import Counter

import pytest

pytestmark = [
    pytest.mark.usefixtures("naps"),
    # Celery has it for an errback of the chord as a whole, which is right here.
    pytest.mark.filterwarnings("ignore:.*task_allow_error_cb_on_chord_header"),
]

EACH = [
    pytest.param("strict_estimate", marks=pytest.mark.todo(1)),
    pytest.param("tolerant_estimate", marks=pytest.mark.todo(2)),
]


def ink(pages):
    return [2 + 5 * page for page in pages]


def error_of(call, result, advice=""):
    """The text of the error that the caller gets."""
    try:
        value = result.get()
    except AssertionError:  # it can never come
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError(f"{call} gave {value!r}. The caller must get the error.{advice}")


def check_nobody_waited(name, timeline):
    """Neither the function nor a task of it waited for a result."""
    for wait in timeline.waits():
        task = next((e.task for e in timeline.started() if e.id == wait.reader), None)
        who = f"`{task}`, a task of `{name}`," if task else f"`{name}`"
        pytest.fail(f"{who} waited for a result. A chord needs nobody to wait.")


def check_runs(call, press, pages):
    """Each page was worked on once."""
    missing = sorted((Counter(pages) - Counter(press.runs)).elements())
    more = sorted((Counter(press.runs) - Counter(pages)).elements())
    if not missing and not more:
        return
    why = "Each page is to be worked out once."
    if press.here:
        why = "The function has called `ink_for_page` itself, before the workers did."
    elif missing and all(page < 0 for page in missing):
        why = "Let `ink_for_page` judge each page, and catch its error."
    elif missing and any(page < 0 for page in press.runs):
        why = "The pages after a bad one were not worked out. Send all at once: a chord."
    pytest.fail(
        f"{call}: `ink_for_page` was called with {sorted(press.runs)}.\n"
        + (f"Not called: {missing}. " if missing else "")
        + (f"Too many: {more}. " if more else "")
        + why
    )


def check_one_incident(call, incidents, result, body, text, press, timeline):
    """There is one incident: that of the body."""
    calls, told = press.reports, "".join(f"\n    {i['task']}: {i['error']}" for i in incidents)
    assert len(calls) == len(incidents), (
        f"{call} failed. `report_failure` was called {len(calls)} times, for "
        f"{', '.join(calls) or 'no task'}. Incidents: {len(incidents)}.\nEach call of "
        "it makes one incident, and nothing else makes one. It is given: leave it as it is."
    )
    assert incidents, f"{call} failed, and there is no incident.\n{press.why_no_incident(timeline)}"
    of_body = [i for i in incidents if i["id"] == result.id]
    setting = len(of_body) < len(incidents) and result.app.conf.task_allow_error_cb_on_chord_header
    assert not setting, (
        f"{call} must make one incident, and it is for {body}. There is:{told}\n"
        "`task_allow_error_cb_on_chord_header` is on, and puts the callback on each page: leave "
        "it off."
    )
    assert len(incidents) == len(of_body), (
        f"{call} must make one incident, and it is for {body}. There is:{told}\nThe error callback "
        "of a page is called for each page that fails, the one of the body once in all."
    )
    assert len(incidents) == 1, f"{call} must make one incident. It made {len(incidents)}:{told}"
    (incident,) = incidents
    assert text in incident["error"], f"The incident must speak of {text!r}. It says:{told}"


@pytest.mark.todo(1)
@pytest.mark.parametrize("count", [0, 1, 6])
def test_a_good_book_has_a_total(
    estimate, page_fault, press, start_worker, timeline, settle, incidents, count
):
    """Without a failure `strict_estimate` gives the total of `total_ink`, and no incident."""
    start_worker()
    pages = [random.randint(0, 9) for _ in range(count)]
    call = f"strict_estimate({pages})"

    results = [estimate("strict_estimate", book) for book in (pages, pages)]

    settle()
    assert not page_fault(results), page_fault(results)
    totals = [result.get(propagate=False) for result in results]
    assert totals == [sum(ink(pages))] * 2, f"{call}, called twice, gave {totals}."
    ran = timeline.started("tasks.total_ink")
    assert [e.args for e in ran] == [(ink(pages),)] * 2, (
        f"{call} was called twice. `total_ink` must run twice, each time with {ink(pages)}. It "
        f"ran as {[e.call for e in ran]}."
    )
    assert [e.id for e in ran] == [result.id for result in results], (
        "The results must be those of `total_ink`, one for each call."
    )
    check_runs(f"{call}, called twice", press, pages * 2)
    assert not incidents, f"Nothing has failed, and there are incidents: {incidents}"


@pytest.mark.parametrize("name", EACH)
def test_all_pages_are_sent_at_once(
    estimate, page_fault, press, timeline, start_worker, settle, name
):
    """The function sends each page in a message of its own, and returns at once."""
    pages = [4, 0, 4, -2, 7]

    results = [estimate(name, pages=list(book)) for book in (pages, pages[:1], pages)]

    # Nobody works on the pages yet.
    sent, expected = timeline.sent(), 2 * len(pages) + 1
    call = f"Calls of `{name}` with 5 pages, 1 page and 5 pages"
    assert not press.runs, f"`{name}` has called `ink_for_page` here. A worker must do that."
    assert len(sent) == expected, (
        f"{call} sent {len(sent)} messages: {', '.join(e.call for e in sent) or 'none'}.\nThere "
        f"must be {expected}, one for each page. The workers send the rest."
    )
    if name == "strict_estimate":
        others = {e.task for e in sent} - {"tasks.ink_for_page"}
        assert not others, f"`{name}` sent {others} before a single page was done."
    assert len({result.id for result in results}) == 3, f"{call} made results with one id."
    start_worker()
    settle()
    check_nobody_waited(name, timeline)
    fault = page_fault(results, "data" if name == "tolerant_estimate" else "")
    assert not fault, fault
    failed = {e.task for e in timeline.failed() if "BadPage" not in e.error}
    assert not failed, f"{call}: {', '.join(sorted(failed))} failed."
    check_runs(call, press, pages * 2 + pages[:1])
    bodies, ids = len(timeline.started()) - expected, {e.id for e in timeline.sent()}
    most = 1 if name == "strict_estimate" else 3
    assert bodies == most, (
        f"{call} ran {bodies} {'task' if bodies == 1 else 'tasks'} beside the pages. There must "
        f"be {most}: the last task of each "
        f"book{' without a bad page' if most == 1 else ''}."
    )
    last = results[1].id in ids and results[1].id not in {e.id for e in sent}
    assert last, f"The result of `{name}` must be that of the task that comes after the pages."


@pytest.mark.todo(1)
@pytest.mark.parametrize("pages", [[-1], [6, -3, 1], [-2, 5, -2, 3, -8], [-7, -4]])
def test_a_bad_page_means_no_total(estimate, press, start_worker, timeline, settle, pages):
    """When pages are bad the others finish, `total_ink` does not run, the caller gets the error."""
    start_worker()
    call = f"strict_estimate({pages})"

    result = estimate("strict_estimate", pages)

    settle()
    bad = ", ".join(map(str, press.taken))
    given = f"\n`ink_for_page` must raise BadPage for {bad}. It is given: leave it as it is."
    error = error_of(call, result, given if bad else "")
    assert "cannot hold" in error, f"{call}: the caller must get the error of a page, not {error}."
    check_runs(call, press, pages)
    totals = timeline.started("tasks.total_ink")
    assert not totals, f"{call} ran {', '.join(e.call for e in totals)}. There must be no total."


@pytest.mark.todo(1)
@pytest.mark.parametrize("pages", [[-1], [-2, 5, -2, 3, -8]])
def test_bad_pages_make_one_incident(
    estimate, press, start_worker, timeline, settle, incidents, pages
):
    """However many pages are bad: one incident, and it is that of `total_ink`."""
    start_worker()
    for _ in range(2):
        incidents.clear()
        press.reports.clear()
        call = f"strict_estimate({pages})"
        result = estimate("strict_estimate", pages)
        settle()
        check_one_incident(
            call, incidents, result, "`tasks.total_ink`", "cannot hold -", press, timeline
        )


@pytest.mark.todo(1)
@pytest.mark.parametrize("pages", [[3, 2], []])
def test_a_total_that_fails_is_one_incident(
    estimate, press, start_worker, timeline, settle, incidents, pages
):
    """When all pages are good and `total_ink` itself fails, that is one incident, too."""
    press.total_fails = LookupError("there is no price for ink")
    start_worker()
    call = f"`total_ink` fails. strict_estimate({pages})"

    result = estimate("strict_estimate", pages)

    error = error_of(call, result)
    assert "no price for ink" in error, f"{call}: the caller must get its error, not {error}."
    settle()
    check_one_incident(
        call, incidents, result, "`tasks.total_ink`", "no price for ink", press, timeline
    )


@pytest.mark.todo(2)
@pytest.mark.parametrize("pages", [[8, -1, 0], [], [5], [-6], [1, 4], [-9, 3, -2, 3, -9, 20]])
def test_the_report_names_the_bad_pages(
    kata, estimate, page_fault, press, timeline, hold, start_worker, settle, incidents, pages
):
    """The report has the total of the good pages, and each bad one. There is no incident."""
    torn = f"page of {random.randint(10, 99)} g is torn"
    kata.TornPage = type("TornPage", (kata.BadPage,), {"__module__": kata.__name__})
    press.errors[20] = kata.TornPage(torn)
    bad = [(n, page) for n, page in enumerate(pages, 1) if page < 0 or page == 20]
    texts = {page: torn if page == 20 else f"a page cannot hold {page} photos" for page in pages}
    expected = {
        "total": sum(ink(page for page in pages if 0 <= page < 20)),
        "bad_pages": [{"page": n, "error": texts[page]} for n, page in bad],
    }
    call, books = f"tolerant_estimate({pages})", [list(pages), list(pages)]

    results = [estimate("tolerant_estimate", book) for book in books]

    if len(pages) > 1 and timeline.sent():  # the first page is overtaken by the others
        first = timeline.sent()[0].task
        most = 2 * len(pages) - 1
        hold(first, first=1, until=lambda: len(timeline.succeeded(first)) >= most)
    start_worker(concurrency=2)
    settle()
    assert not page_fault(results, "data"), page_fault(results, "data")
    for result in results:
        report = result.get()
        assert report == expected, (
            f"{call} gave\n    {report}\nIt must be\n    {expected}{press.repeated(report)}"
        )
    assert books == [pages, pages], f"{call} has changed the list that it was given."
    check_runs(f"{call}, called twice", press, pages * 2)
    assert not incidents, (
        f"A bad page is no incident. {call}, called twice, made {len(incidents)}: {incidents}\n"
        "Leave `incidents.report` out of your task."
    )


@pytest.mark.todo(2)
@pytest.mark.parametrize(
    ("pages", "error"),
    [([13], OSError), ([2, -1, 13, 6, 13], ValueError), ([-2, 13], KeyError), ([13, 1], TypeError)],
)
def test_a_fault_of_the_shop_is_an_incident(
    estimate, press, start_worker, timeline, settle, incidents, pages, error
):
    """An error that is no `BadPage`: the other pages finish, no report, one incident."""
    press.errors[13] = error("the ink meter is broken")
    start_worker()
    call = f"A page of tolerant_estimate({pages}) raises {error.__name__}, and"

    result = estimate("tolerant_estimate", pages)

    advice = "\nYour task made data of an error that is no BadPage. Catch `BadPage` only."
    if error is ValueError:
        advice += " A BadPage is a ValueError, but not every ValueError is a BadPage."
    told = error_of(f"{call} the book", result, advice)
    assert "ink meter" in told, f"{call} the caller must get this error, not {told}."
    settle()
    check_runs(f"{call} the others go on", press, pages)
    more = timeline.started()[len(pages) :]
    assert not more, f"{call} {', '.join(e.call for e in more)} ran. There must be no report."
    check_one_incident(
        f"{call} the book", incidents, result, "the task that reports", "ink meter", press, timeline
    )


@pytest.mark.parametrize("name", EACH)
def test_nobody_waits(estimate, press, start_worker, timeline, settle, naps, name):
    """No function and no task waits for a result, and none sleeps."""
    start_worker(concurrency=4)
    for pages in ([2, 3], [1, -1, 4]):
        estimate(name, pages)
        settle()
    check_nobody_waited(name, timeline)
    assert not naps, f"`{name}`, or a task of it, slept for {naps[0]} seconds."
    assert timeline.sent(), f"`{name}` sent nothing."
