"""The press and the catalogue of a test, and the tasks that come after a book."""

import functools
import importlib
import random
from types import SimpleNamespace

import pytest
from celery import Task
from celery._state import get_current_worker_task

GIVEN = ("print_page", "total_ink")
REPLACE = "replace itself, by `self.replace(…)`: that hands its id and its callbacks on."
A_LIST = "`total_ink` was handed a number. For one page, too, it needs a list: a chord makes one."


def kind_of(value):
    """What a wrong result is, if it is one of the usual things, and what to do."""
    texts = isinstance(value, list) and value and all(isinstance(one, str) for one in value)
    what = "The task has ended before the total is there."
    if isinstance(value, dict) and "subtask_type" in value:
        what = "That is a signature. The task has returned it, and nobody has sent it."
    elif isinstance(value, list) and value and isinstance(value[0], list):
        what = "That is an AsyncResult which the task has returned, as JSON has it."
    elif texts:
        what = f"Those are texts. {what}"
    elif isinstance(value, list):
        return "The total is one number. Who adds the list up? A chord has a body for that."
    return f"{what}\nThe task can {REPLACE}"


def _as_given(kata):
    """Whether the given tasks do what they did, with the options that they had."""
    page, total = (kata.app.tasks[f"tasks.{name}"] for name in GIVEN)
    book_id, number = random.randint(10, 99), random.randint(1, 9)
    try:
        made = page.run(book_id, number), total.run([book_id, number, number])
    except Exception:
        return False
    right = 2 + (7 * book_id + 5 * number) % 40, book_id + 2 * number
    return made == right and not any(task.ignore_result or task.acks_late for task in (page, total))


class Press:
    """The given tasks of the learner's module: what they worked on.

    `runs` has the pages that were printed, such as (7, 1), and `by` the name and the id of the
    task that a worker ran then. `totals` has the lists that `total_ink` was handed, `replaced`
    the names of the tasks that called `replace`. Each page takes some ink of its own. An error in
    `errors` is raised for its page.
    """

    def __init__(self, kata):
        self.kata, self.as_given = kata, _as_given(kata)
        self.runs, self.by, self.totals, self.errors, self.replaced = [], [], [], {}, []
        self._ink, self._more = {}, random.randint(1000, 9000)

    def ink(self, book_id, page):
        """The ink that this page takes, in this test."""
        return self._ink.setdefault((book_id, page), random.randint(100, 999))

    def total(self, pages):
        """What `total_ink` makes of these pages. It shows that nobody else has added them up."""
        return sum(self.ink(*page) for page in pages) + self._more * bool(pages)

    def print_page(self, book_id, page):
        """What the tasks `print_page` run."""
        task = get_current_worker_task()  # a direct call is none
        self.runs.append((book_id, page))
        self.by.append(task and (task.name, task.request.id))
        if (book_id, page) in self.errors:
            raise self.errors[book_id, page]
        return self.ink(book_id, page)

    def check_total(self, call, result, pages):
        """The result of this call is what `total_ink` makes of these pages."""
        got, total = result.get(), self.total(pages)
        why = f"The result of {call} is {got}"
        assert got == total or self.totals, (
            f"{why}, and `total_ink` did not run. The result must be what it returns."
        )
        assert got == total, (
            f"{why}. `total_ink` was handed {self.totals}. The result must be what it returns "
            f"for these pages: {pages}."
        )

    def value_of(self, call, result):
        """The result of this call, which is a number."""
        try:
            value = result.get()
        except TypeError as error:
            if not any(isinstance(amounts, int) for amounts in self.totals):
                raise
            pytest.fail(f"{call} failed: {error}.\n{A_LIST}")
        assert isinstance(value, int), (
            f"The result of {call} is {value!r:.99}.\nIt must be the number that `total_ink` "
            f"returns.\n{kind_of(value)}"
        )

    def why_twice(self, tasks):
        """Why tasks of these names have one id."""
        if len({*tasks}) == 1:
            return "Who makes a signature once, for all calls? Each call needs its own."
        if self.replaced:
            return "A replaced task has none: `replace` ends it with an Ignore. Who catches that?"
        return f"A task that gives its id away has no result.\nIt can {REPLACE}"

    def total_ink(self, amounts):
        """What the task `total_ink` runs."""
        if isinstance(amounts, int):
            self.totals.append(amounts)
        self.totals.append(list(amounts))
        return sum(amounts) + self._more * bool(amounts)


@pytest.fixture
def press(kata, monkeypatch):
    """See `Press`. It must be there before a worker starts."""
    for name in GIVEN:
        task = kata.app.tasks.get(f"tasks.{name}")
        assert isinstance(task, Task), f"`{name}` is given, a task of `app`. Leave it as it is."
    press = Press(kata)
    celerys_replace = Task.replace

    @functools.wraps(celerys_replace)
    def replace(task, *args, **kwargs):
        press.replaced.append(task.name)
        return celerys_replace(task, *args, **kwargs)

    monkeypatch.setattr(Task, "replace", replace)
    for name in GIVEN:
        monkeypatch.setattr(kata.app.tasks[f"tasks.{name}"], "run", getattr(press, name))
    return press


@pytest.fixture
def books(kata):  # noqa: ARG001 - the module must be imported
    """The books of the catalogue: how many pages each has now."""
    books = importlib.import_module("catalogue").books
    books.clear()
    return books


@pytest.fixture
def shop(kata):
    """Tasks that come after a book. `told` has what `tell` was handed, `failures` the errors.

    They must be there before a worker starts.
    """
    told, failures = [], []

    @kata.app.task(name="shop.tell")
    def tell(total):
        told.append(total)
        return total

    @kata.app.task(name="shop.report")
    def report(request, exc, traceback):  # noqa: ARG001 - so Celery calls it
        failures.append(str(exc))

    return SimpleNamespace(tell=tell, report=report, told=told, failures=failures)
