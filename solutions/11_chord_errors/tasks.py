"""11 · One bad page: the reference solution."""

import incidents
from celery import Celery, chord

app = Celery("chord_errors")


# Given, complete. Leave it as it is.


class BadPage(ValueError):
    """The customer has made a page that nobody can print."""


@app.task
def ink_for_page(page):
    """The ink for one page in millilitres. `page` is the number of photos on it."""
    if page < 0:
        raise BadPage(f"a page cannot hold {page} photos")
    return 2 + 5 * page


@app.task
def total_ink(amounts):
    """Add up a list of amounts in millilitres."""
    return sum(amounts)


@app.task
def report_failure(request, exc, traceback):
    """An error callback: add an incident that says which task has failed, and why."""
    incidents.report(request.task, request.id, repr(exc), traceback)


# Your part.


def strict_estimate(pages):
    """The ink for a whole book, or nothing: all pages side by side, then one `total_ink`.

    `pages` is a list with the number of photos on each page; it may be empty. Return the
    AsyncResult of `total_ink` at once, without waiting.

    When pages fail, one or more, the other pages are worked out all the same, `total_ink` is
    not run, and `report_failure` is called once in all: for `total_ink`, and for no page. It
    is called once, too, when all pages are good and `total_ink` itself fails.
    """
    # The error callback is the body's. On the pages it would be called once for each bad page.
    total = total_ink.s().on_error(report_failure.s())
    return chord([ink_for_page.s(page) for page in pages])(total)


@app.task
def try_page(page):
    """The ink for one page, or what is bad about it."""
    # A task that returns has not failed, so the body is run. Only what the customer can do
    # wrong becomes a result: any other error is still a failure, and is seen by somebody.
    try:
        return {"ink": ink_for_page(page)}
    except BadPage as error:
        return {"error": str(error)}  # JSON can carry a text, and no exception


@app.task
def make_report(tried):
    """The total of the good pages, and the bad pages by their numbers."""
    # One entry for each page comes in, in the order of the book: no page gets lost.
    return {
        "total": sum(entry["ink"] for entry in tried if "ink" in entry),
        "bad_pages": [
            {"page": number, "error": entry["error"]}
            for number, entry in enumerate(tried, start=1)
            if "error" in entry
        ],
    }


def tolerant_estimate(pages):
    """The ink for the good pages, and a list of the bad ones.

    Each page is worked out by a task of its own, side by side, with one call of
    `ink_for_page`. One task after them makes the report. Return its AsyncResult at once,
    without waiting. Page 2 of [8, -1, 0] is bad, and the report is:

        {"total": 44, "bad_pages": [{"page": 2, "error": "a page cannot hold -1 photos"}]}

    Pages count from 1, and the bad ones stand in the order of the book. A page is bad when
    `ink_for_page` raises a `BadPage`, and "error" is its text. A bad page is no incident.

    Any other error is a fault of the shop. Then there is no report: all is as in
    `strict_estimate`, with one call of `report_failure`, for the task that makes the report.
    """
    report = make_report.s().on_error(report_failure.s())
    return chord([try_page.s(page) for page in pages])(report)
