"""What the pages of a book do in a test, and the incidents that came of it."""

import importlib
import re
import threading
from types import FunctionType

import pytest
from celery.canvas import Signature
from celery.result import AsyncResult, GroupResult
from celery.signals import before_task_publish

INCOMPLETE = re.compile(r"\w+\(\) missing [^\"]*'\w+'")
GETS_THE_LIST = (
    "With `.s()` its first argument is the list of all results. With `.si()` it gets only yours."
)
NO_JSON = re.compile(r"Object of type (\w*Page) is not JSON")


class Press:
    """The given tasks of the learner's module: what they worked on, and how they fail.

    `runs` has the pages that `ink_for_page` was called with, `reports` the name of the task for
    each call of `report_failure`, and `misfits` the calls of it with other arguments than the
    three. An error in `errors` is raised for its page, and `total_fails` by `total_ink`. `here`
    has the pages that no worker worked on, `taken` the bad ones for which there was no error, and
    `links` the names of the tasks that are `link` of the body of a chord.
    """

    def __init__(self):
        self.runs, self.reports, self.misfits = [], [], []
        self.here, self.taken, self.links = [], [], set()
        self.errors, self.total_fails = {}, None
        self.caller = threading.get_ident()

    def note_links(self, body, **_):
        """Note the `link` of the body of a chord when a page of it is sent."""
        embed = body[-1] if isinstance(body, (list, tuple)) else {}
        links = ((embed.get("chord") or {}).get("options") or {}).get("link") or []
        links = links if isinstance(links, list) else [links]
        self.links |= {each.get("task") for each in links if isinstance(each, dict)}

    def note_run(self, page):
        """Note a call of `ink_for_page`, and raise the error of its page."""
        self.runs.append(page)
        if threading.get_ident() == self.caller:
            self.here.append(page)
        for bad, error in self.errors.items():
            if page == bad:
                raise error

    @staticmethod
    def repeated(report):
        """What to say of a report that names a bad page more than once, or ""."""
        entries = report.get("bad_pages") if isinstance(report, dict) else None
        texts = [repr(entry) for entry in entries] if isinstance(entries, list) else []
        if len(texts) == len({*texts}):
            return ""
        return "\nIt was called twice. A list in the module still has what was put in before."

    def why_no_incident(self, timeline):
        """What is wrong with the error callback that made no incident."""
        if self.misfits:
            return (
                "Celery hands three arguments over: write `report_failure.s()`, with `.s` and "
                "without arguments."
            )
        if timeline.events(None, "immutable"):
            return (
                "Celery took each key of the signature in `link_error` for a callback: it wants a "
                "list here. Write `.on_error(report_failure.s())`."
            )
        if "tasks.report_failure" in self.links:
            return "`link` is for success. Write `.on_error(report_failure.s())`."
        if not self.runs:
            return "For an empty book, too: whatever you send for it needs `report_failure`."
        return (
            "The body of the chord needs an error callback: write `.on_error(report_failure.s())` "
            "after its signature."
        )


@pytest.fixture
def press(kata, monkeypatch):
    """See `Press`. It must be there before a worker starts."""
    press = Press()
    ink, total, report = kata.ink_for_page.run, kata.total_ink.run, kata.report_failure.run

    def ink_for_page(page):
        press.note_run(page)
        amount = ink(page)
        if page < 0:
            press.taken.append(page)
        return amount

    def total_ink(amounts):
        if press.total_fails:
            raise press.total_fails
        return total(amounts)

    def report_failure(*args):
        if len(args) == 3:
            press.reports.append(args[0].task)
        else:
            press.misfits.append(args)
        report(*args)

    for given in (ink_for_page, total_ink, report_failure):
        monkeypatch.setattr(getattr(kata, given.__name__), "run", given)

    before_task_publish.connect(press.note_links)
    yield press
    before_task_publish.disconnect(press.note_links)


def incomplete(text):
    """What is wrong with the body of a chord that is not handed the list, or ""."""
    found = INCOMPLETE.search(text)
    return f"TypeError: {found[0]}\n{GETS_THE_LIST}" if found else ""


def about_call(error):
    """What a newcomer must know of an error in a function, or ""."""
    if isinstance(error, TypeError):
        return incomplete(str(error))
    if not isinstance(error.obj, FunctionType):
        return ""
    return (
        f"`{error.obj.__name__}` is a plain function, and no task: it has no `{error.name}`. "
        "Put `@app.task` above it."
    )


@pytest.fixture
def estimate(kata):
    """`estimate("strict_estimate", [4, 0])` is the result that a function returns."""

    def called(name, *args, **kwargs):
        try:
            result = getattr(kata, name)(*args, **kwargs)
        except (AttributeError, TypeError) as error:
            why = about_call(error)
            if not why:
                raise
            raise AssertionError(why).with_traceback(error.__traceback__) from None
        what = f"{result!r}."
        if isinstance(result, Signature):
            what = f"the signature {result!r}, and nobody has sent it."
        elif isinstance(result, (int, dict)):
            what += f"\n`{name}` waited for it. Return what `chord(…)(…)` gives, and do not wait."
        elif isinstance(result, GroupResult):
            what += "\nThat is the header. Return what `chord(…)(…)` gives."
        why = f"`{name}` must return an AsyncResult. It returned {what}"
        assert isinstance(result, AsyncResult), why
        return result

    return called


@pytest.fixture
def page_fault(kata, timeline):
    """`page_fault(results)` says what is wrong with the tasks of pages, or with the body, or "".

    With `bad="data"` a bad page must not fail.
    """

    def about_value(task, value):
        if value is None:
            return f"`{task}` returned None for a page. Is a `return` missing?"
        if "subtask_type" in repr(value):
            return f"`{task}` returned a signature, and nobody runs it: call `ink_for_page(page)`."
        return ""

    def about_error(task, error, bad):
        if named := NO_JSON.search(error):
            return (
                f"`{task}` returned a {named[1]}. A result travels as JSON: return the text of "
                "the error, `str(error)`."
            )
        kind = error.partition(":")[0]
        if bad == "data" and kind.endswith("Page") and kind != "BadPage":
            return (
                f"`{task}` failed with {error}.\n{kind} is a class below BadPage: "
                "`except BadPage` catches that, too."
            )
        if bad == "data" and kind == "BadPage":
            return (
                f"`{task}` failed with {error}.\nSo the body of the chord fails, too, and no error "
                "callback can rescue it. Catch each BadPage inside the task of the page."
            )
        return ""

    def fault(results, bad=""):
        ids = {e.id for e in timeline.sent() if e.worker is None}
        found = [
            f"`{name(e)}` was sent with a whole list: one task for each page is needed."
            for e in timeline.sent("tasks.ink_for_page")
            if any(isinstance(value, list) for value in (*e.args, *e.kwargs.values()))
        ]
        found += [about_error(name(e), e.error, bad) for e in timeline.failed() if e.id in ids]
        done = [e for e in timeline.succeeded() if e.id in ids]
        found += [about_value(name(e), kata.app.AsyncResult(e.id).result) for e in done]
        found += [incomplete(str(result.result)) for result in results]
        failed = any(isinstance(result.result, Exception) for result in results)
        if bad == "data" and failed and timeline.sent("tasks.ink_for_page"):
            found.append(
                "`ink_for_page` returned a number, and your report cannot read it: each page "
                "needs a task of your own."
            )
        return next(filter(None, found), "")

    return fault


def name(event):
    """The short name of a task."""
    return event.task.removeprefix("tasks.")


@pytest.fixture
def incidents(kata):  # noqa: ARG001 - the module must be imported
    """The list of incidents: dicts with `task`, `id`, `error` and `traceback`."""
    return importlib.import_module("incidents").reported
