"""What the pages of a book do in a test, and the incidents that came of it."""

import importlib

import pytest


class Press:
    """The given tasks of the learner's module: what they worked on, and how they fail.

    `runs` has the pages that `ink_for_page` was called with, and `reports` the name of the task
    for each call of `report_failure`. An error in `errors` is raised for its page, and
    `total_fails` by `total_ink`.
    """

    def __init__(self):
        self.runs, self.reports, self.errors, self.total_fails = [], [], {}, None


@pytest.fixture
def press(kata, monkeypatch):
    """See `Press`. It must be there before a worker starts."""
    press = Press()
    ink, total, report = kata.ink_for_page.run, kata.total_ink.run, kata.report_failure.run

    def ink_for_page(page):
        press.runs.append(page)
        if page in press.errors:
            raise press.errors[page]
        return ink(page)

    def total_ink(amounts):
        if press.total_fails:
            raise press.total_fails
        return total(amounts)

    def report_failure(request, exc, traceback):
        press.reports.append(request.task)
        report(request, exc, traceback)

    for given in (ink_for_page, total_ink, report_failure):
        monkeypatch.setattr(getattr(kata, given.__name__), "run", given)
    return press


@pytest.fixture
def incidents(kata):  # noqa: ARG001 - the module must be imported
    """The list of incidents: dicts with `task`, `id` and `error`."""
    return importlib.import_module("incidents").reported
