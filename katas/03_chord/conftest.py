"""The ink that a page takes in the workers of kata 03, and words for what goes wrong."""

import random
import traceback

import pytest
from celery import Task, chord
from celery.canvas import Signature
from celery.exceptions import TimeoutError
from celery.result import AsyncResult, GroupResult

NO_TASK = "TODO 1: `total_ink` is not a task yet. A decorator above `def total_ink` makes it one."


class OtherInk:
    """In the workers a page takes some millilitres more than in a direct call of `ink_for_page`.

    So it shows who has computed.
    """

    def __init__(self, kata, task):
        self._more, self._task, self._run = random.randint(100, 900), task, task.run
        self._kata = kata

    def run(self, *args, **kwargs):
        """What the workers run instead of `ink_for_page.run`."""
        amount = self._run(*args, **kwargs)
        return amount if self._task.request.called_directly else amount + self._more

    def amounts(self, pages):
        """The list that `total_ink` must be handed."""
        return [2 + 5 * page + self._more for page in pages]

    def total(self, amounts, percent=0):
        """What `total_ink` makes of the amounts. If it cannot, that is the fault of TODO 1."""
        task, text = self._kata.total_ink, f"TODO 1: total_ink({amounts}, {percent})"
        assert isinstance(task, Task), NO_TASK
        try:
            total = task(list(amounts), percent)
        except NotImplementedError:
            raise
        except Exception as error:
            raise AssertionError(f"{text} raised {type(error).__name__}: {error}") from None
        assert isinstance(total, int), f"{text} returned {total!r}. It must be a whole number."
        assert not task.ignore_result, (
            "TODO 1: `ignore_result` is on for `total_ink`: Celery throws its result away."
        )
        return total

    def check_handed(self, run, pages, percent=0):
        """Check what `total_ink` was handed: one list and the percentage, however passed."""

        def total_ink(amounts, spare_percent=0):
            return amounts, spare_percent

        wanted = f"It must be handed the list {brief(self.amounts(pages))}"
        wanted += f" and the percentage {percent}." if percent else "."
        try:
            amounts, spare = total_ink(*run.args, **run.kwargs)
        except TypeError:
            pytest.fail(f"The worker ran {run.call}.\n{wanted}")
        if why := why_not_the_list(amounts, pages):
            wanted += f"\n{why}"
        assert amounts == self.amounts(pages), (
            f"The pages are {brief(pages)}. `total_ink` was handed {brief(amounts)}.\n{wanted}"
        )
        assert spare == percent, (
            f"The percentage that `total_ink` was handed is {spare!r}: {run.call}.\n{wanted}"
        )


def why_not_the_list(amounts, pages):
    """What the amounts that `total_ink` was handed tell of their fault."""
    if pages and amounts == [2 + 5 * page for page in pages]:
        return (
            "These are the numbers of a direct call of `ink_for_page`. In this test the task takes "
            "more ink when a worker runs it."
        )
    if pages and amounts == []:
        return "`.si` refuses the list of the pages. Use `.s`."
    if len(pages) == 1 and isinstance(amounts, int):
        return "A chain with a group of one hands over a number. Say `chord`."
    return ""


def why_raised(error):
    """What an error of a chord that does not fit means; "" if it tells enough."""
    text = str(error)
    if "total_ink() missing" in text and "'amounts'" in text:
        # Whose method raised it? An error from a worker does not tell: there it is a chord.
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        owners = [frame.f_locals.get("self") for frame in frames]
        if not frames or any(isinstance(owner, chord) for owner in owners):
            return "`total_ink` is not handed the list: `.si` refuses it. Use `.s`."
        if any(isinstance(owner, Signature) for owner in owners):
            return "A chain with an empty group is `total_ink` alone. Say `chord`."
    if "total_ink() takes" in text:
        return f"{text}.\nThe list comes first by itself. Give only what is still missing."
    if "operand" in text and "'AsyncResult'" in text and "'int'" in text:
        return (
            "`estimate` returns a result that is not there yet. Let `total_ink` add the percentage."
        )
    return ""


def shown(result):
    """What a function returned. A signature is easily taken for a message that was sent."""
    if isinstance(result, GroupResult):
        return "a GroupResult. A group has no total: say `chord`"
    if not isinstance(result, Signature):
        return repr(result)
    kind = type(result).__name__.strip("_").lower()
    try:
        repr(result)
    except Exception:  # so ends Celery's repr
        return f"a {kind}, and not all that it is made of are signatures"
    return f"a {kind} that nobody has sent. `.delay()` sends it"


def brief(numbers):
    """A list as it is shown: of a long one only the beginning."""
    if not isinstance(numbers, list) or len(numbers) <= 8:
        return repr(numbers)
    return f"[{', '.join(map(repr, numbers[:6]))}, …], {len(numbers)} in all"


@pytest.fixture
def other_ink(kata, monkeypatch):
    """The ink that a page takes in the workers. Ask for it before a worker: it looks only once."""
    task = kata.app.tasks.get("tasks.ink_for_page")
    assert task is not None, "`ink_for_page` is given, a task of `app`. Leave it as it is."
    other_ink = OtherInk(kata, task)
    monkeypatch.setattr(task, "run", other_ink.run)
    return other_ink


@pytest.fixture
def check_task(kata):
    """`total_ink` is a task of `app`."""

    def check():
        is_task = isinstance(kata.total_ink, Task) and kata.total_ink.name in kata.app.tasks
        assert is_task, NO_TASK

    return check


@pytest.fixture
def call(kata):
    """Call a function of the learner, and check what it returned and left of the list."""

    def call_it(name, pages, *percent):
        function, given = getattr(kata, name), list(pages)
        try:
            result = function(given, *percent)
        except (TimeoutError, TypeError, AttributeError) as error:
            text = why_raised(error)
            if isinstance(error, TimeoutError):
                text = f"`{name}` waited for a result, until its time-out."
            if isinstance(error, AttributeError) and not isinstance(kata.total_ink, Task):
                text = NO_TASK
            if not text:
                raise
            raise AssertionError(text).with_traceback(error.__traceback__) from None
        text = f"`{name}` must return an AsyncResult. It returned {shown(result)}."
        assert isinstance(result, AsyncResult), text
        assert given == pages, f"`{name}` changed the caller's list of pages. It is {given} now."
        return result

    return call_it


@pytest.fixture
def total_of(kata, timeline):
    """The message of the one run of `total_ink`. The run may have changed its own list since."""

    def total(name, result):
        for wait in timeline.waits():
            task = next((e.task for e in timeline.started() if e.id == wait.reader), None)
            assert task is None, (
                f"`{task}`, a task of `{name}`, asked for the result of another task, and kept its "
                "place in the worker. A chord needs nobody to wait."
            )
        total = getattr(kata.total_ink, "name", "")
        runs = [e for e in timeline.started(total) if not e.eager]
        text = f"`{name}` of one book ran `total_ink` {len(runs)} times, not once."
        assert len(runs) == 1, text if runs else f"{text}\n{why_none(timeline, result)}"
        return next((e for e in timeline.sent(total) if e.id == runs[0].id), runs[0])

    return total


def why_none(timeline, result):
    """Why `total_ink` did not run, as far as the result knows."""
    others = [e.task for e in timeline.started() if e.id == result.id]
    if others:
        return f"It returned the result of `{others[0]}`."
    error = result.backend.get_task_meta(result.id)["result"]
    return why_raised(error) or f"{type(error).__name__}: {error}" if error else ""
