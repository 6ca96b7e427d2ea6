"""The rules: what a learner is told about a mistake, and that the right thing is not blamed."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dojo.evidence.recorder import Recorder
from dojo.evidence.timeline import Timeline
from dojo.grading import answers
from dojo.grading.curriculum import Kata
from dojo.safety.shelter import celery_untouched
from dojo.telling import report
from dojo.telling.explain import explain
from dojo.telling.explanation import Explanation
from dojo.telling.failure import Failure

HEAD = """
from celery import Celery, chain, chord, group

app = Celery("words", broker="memory://", backend="cache+memory://")


@app.task
def add(x, y=0):
    return x + y


@app.task
def total(amounts):
    return sum(amounts)


"""


def told(folder: Path, code: str, eager: bool = False) -> str:
    """What is said when `go()` of an answer with this code raises."""
    place = folder / "99_words"
    place.mkdir()
    file = place / "tasks.py"
    file.write_text(HEAD + dedent(code), encoding="utf-8")
    kata, timeline = Kata("99_words", place), Timeline()
    with celery_untouched(), Recorder(timeline, [str(file)]):
        try:
            with answers.imported(kata, file) as module:
                module.app.conf.task_always_eager |= eager
                failure = _failure_of(module, kata, file, timeline, eager)
                return explain(failure).text
        except answers.AnswerError as error:
            return explain(Failure(error, "It works.", file, kata, file)).text


def _failure_of(module: object, kata: Kata, file: Path, timeline: Timeline, eager: bool) -> Failure:
    try:
        module.go()  # type: ignore[attr-defined]
    except Exception as error:
        return Failure(error, "It works.", Path(__file__), kata, file, timeline, eager=eager)
    raise AssertionError("go() raised nothing")


@pytest.mark.filterwarnings("ignore:coroutine 'later' was never awaited:RuntimeWarning")
@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "def go(): chain(add.delay(1), add.s(2)).delay()",
            "which is a result: `.delay()` has sent the task already",
        ),
        ("def go(): chain(add(1, 2), add.s(3)).delay()", "Celery was handed 3. That is not a sig"),
        ("def go(): chord([add.s(1)])(total)", "Celery was handed the task `total`. Hand it a sig"),
        ("def go(): add.delay(1, queue='mail')", "belongs to `add.apply_async((…), queue=…)`"),
        ("def go(): add.apply_async(5)", "one tuple, also when there is one: `(5,)`"),
        ("def go(): crontab(hour=2)", "`from celery.schedules import crontab`"),
        ("signature('x')\ndef go(): pass", "`from celery import signature`"),
        (
            "@app.task\ndef bound(self, x): pass\n\ndef go(): bound.delay(1)",
            "The first parameter of `bound` is `self`, but the task is not bound.",
        ),
        (
            "@app.task(bind=True)\ndef free(x): pass\n\ndef go(): free.delay(1)",
            "`free` is bound (`bind=True`)",
        ),
        (
            "@app.task\nasync def later(x): pass\n\ndef go(): assert later.delay(1).get() == 1",
            "`later` is `async def`.",
        ),
        (
            "other = Celery('other')\n\n@other.task\ndef far(): pass\n\ndef go(): assert 0",
            "`far` is a task of another app, and not of `app`.",
        ),
        (
            "app.conf.TASK_ROUTES = {}\ndef go(): assert 0",
            "Celery does not read `TASK_ROUTES` here: write `app.conf.task_routes`.",
        ),
        (
            "app.conf.CELERY_TASK_ROUTES = {}\ndef go(): assert 0",
            "Celery does not read `CELERY_TASK_ROUTES` here: write `app.conf.task_routes`.",
        ),
        (
            "app.conf.task_route = {}\ndef go(): assert 0",
            "`task_route` is not a setting of Celery. Did you mean `task_routes`?",
        ),
        ("app.conf.task_always_eager = True\ndef go(): assert 0", "`task_always_eager` is on"),
        (
            "def go(): raise TypeError('Object of type Retry is not JSON serializable')",
            "A task returned a Retry. Raise it: `raise self.retry(…)`.",
        ),
        (
            "from celery.exceptions import Reject\n"
            "def go(): raise Reject(TypeError('charge() missing 1 argument'), requeue=False)",
            "The retry could not be sent: TypeError: charge() missing 1 argument",
        ),
        (
            "from celery.exceptions import MaxRetriesExceededError\n"
            "def go(): raise MaxRetriesExceededError('no more')",
            "Hand it the error that the task shall end with: `self.retry(exc=…)`.",
        ),
        (
            "def go(): (add.s(1, 2) | total.s().delay())",
            "`.delay()` belongs to the last part only",
        ),
        (
            "def go(): chain(add.s(1, 2), total.delay()).delay()",
            "`total.delay(…)` sends `total` here and now. A signature is due in its place: "
            "`total.s(…)`.",
        ),
        ("def go(): chain(add.s(1, 2), total()).delay()", "`total(…)` runs `total` here and now."),
        ("def go(): add.apply_async((1,), link=total.delay())", "`total.delay(…)` sends `total`"),
        (
            "def go(): add.apply_async(args=[1], link=total.s)",
            "`link` takes a signature: `total.s()`",
        ),
        ("def go(): add.apply_async(args=[1], link_error=total)", "takes a signature: `total.s()`"),
        (
            "def go(): add.s(1, 2).link(total.s()).delay()",
            "`.link(…)` returns the callback, and not the signature that it was called on.",
        ),
        ("def go(): add.s(1).link_error(total.s()).delay()", "Use `.on_error(…)`, or call"),
        ("def go(): total.on_error(add.s())", "Its signature has: `total.s(…).on_error(…)`."),
        ("def go(): add.delay(1) * 2", "An AsyncResult stands for a value that is not there yet."),
        ("def go(): group([add.s(1)])(total.s(), 5, 6)", "A group hands its results to nobody."),
        ("def go(): group(add.s(1), total.s()).delay()", "none gets the result of another."),
        ("def go(): chord([add.delay(1)])(total.s())", "Celery was handed a result, and"),
        ("def go(): add.apply_async(1, 2)", "takes the arguments as one tuple"),
        (
            "@app.task(bind=True)\ndef free(x, y=1): return x * y\n\ndef go(): free(2)",
            "`free` is bound (`bind=True`)",
        ),
        (
            "@app.task\ndef tell(x): return self.request.id\n\ndef go(): tell(2)",
            "`self` is the first parameter of a bound task: `@app.task(bind=True)`.",
        ),
        (
            "@app.tasks\ndef lost(): pass\n\ndef go(): pass",
            "The decorator of a task is `@app.task`.",
        ),
        (
            "def route(name): pass\napp.conf.task_routes = (route(), {})\ndef go(): pass",
            "`route()` calls the function here.",
        ),
        (
            "app.conf.task_routes = (route, {})\ndef route(name): pass\ndef go(): pass",
            "`route` is defined further down, in line 18.",
        ),
        (
            "from celery.schedules import crontab\ncrontab(second=30)\ndef go(): pass",
            "A crontab has no seconds.",
        ),
        (
            "app.conf.queues = []\ndef go(): assert 0",
            "`queues` is not a setting of Celery. Did you mean `task_queues`?",
        ),
        (
            "@app.task(autoretry_for=(OSError,), countdown=5)\ndef late(): pass\n"
            "def go(): assert 0",
            "`countdown` is not an option of a task. It belongs into `retry_kwargs`",
        ),
        (
            "@app.task(jitter=False)\ndef late(): pass\ndef go(): assert 0",
            "`jitter` is not an option of a task. Did you mean `retry_jitter`?",
        ),
        (
            "@app.task(autoretry_for=(OSError,), retry_kwargs={'max_retry': 5})\n"
            "def late(): pass\ndef go(): assert 0",
            "`max_retry` in `retry_kwargs` is not an option of a retry. Did you mean "
            "`max_retries`?",
        ),
        (
            "@app.task(autoretry_for=(OSError,), retry_kwargs={'retry_backoff': True})\n"
            "def late(): pass\ndef go(): assert 0",
            "`retry_backoff` is an option of the task. It does not belong into `retry_kwargs`.",
        ),
        (
            "def go():\n    add.starmap([(1, 2)]).delay()\n    assert 0",
            "`starmap` sends one message for the whole list",
        ),
    ],
)
def test_the_next_step(tmp_path: Path, code: str, says: str) -> None:
    """A mistake that newcomers make is named, with what to write instead."""
    eager = any(word in code for word in ("bind", "self", "async def", "queue"))
    text = " ".join(told(tmp_path, code, eager).split())
    assert says in text


@pytest.mark.parametrize(
    ("code", "hides"),
    [
        ("def go(): group(add.s(1), add.s(2)).delay(5, 6, 7).get()", "signature"),
        ("def go(): chain(group(add.s(1)), total.si([1]), add.s('x')).apply().get()", "signature"),
        ("def go(): add.s(1).delay(2, 3, 4)", "signature"),
        ("def go(): add.s(1).delay(colour=2)", "signature"),
        ("def go(): assert 0", "eager"),
        (
            "@app.task(autoretry_for=(OSError,), retry_kwargs={'max_retries': 5, 'queue': 'q'})\n"
            "def late(): pass\ndef go(): assert 0",
            "option",
        ),
        ("app.conf.task_routes = {}\ndef go(): assert 0", "setting"),
        ("def go(): raise NameError(\"name 'price' is not defined\")", "import"),
        ("fee = 1\ndel fee\nfee + 1\ndef go(): pass", "further down"),
        ("def go(): add(1, colour=2)", "apply_async"),
        ("def go(): raise TypeError(\"add() got an unexpected keyword argument 'size'\")", "delay"),
    ],
)
def test_the_right_thing_is_not_blamed(tmp_path: Path, code: str, hides: str) -> None:
    """What is right is not called wrong."""
    assert hides not in told(tmp_path, code, eager="delay" in code)


def test_the_zone_in_the_code_is_quoted(tmp_path: Path) -> None:
    """The line of the setting is quoted, and not a comment with the same word."""
    text = told(
        tmp_path,
        """
        # Europe/Amstredam is where the shop is
        app.conf.timezone = "Europe/Amstredam"

        def go(): app.timezone
        """,
    )
    assert "there is no time zone 'Europe/Amstredam'. Did you mean 'Europe/Amsterdam'?" in text
    assert '    app.conf.timezone = "Europe/Amstredam"' in text


def test_an_eager_task_is_in_no_worker(tmp_path: Path) -> None:
    """A task that failed eagerly did not fail in a worker."""
    code = "app.conf.task_eager_propagates = True\ndef go(): add.delay(1, 'x')"
    text = told(tmp_path, code, eager=True)
    assert "TypeError" in text
    assert "in the worker" not in text


def test_two_threads_that_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython 3.11 cannot parse in two threads at once; then it is explained a second time."""
    explained = Explanation("It works.", "It does not.")
    said = iter([SystemError("AST constructor recursion depth mismatch"), explained])

    def stumbling(_failure: Failure) -> object:
        if isinstance(one := next(said), Exception):
            raise one
        return one

    monkeypatch.setattr("dojo.telling.explain.explain", stumbling)
    monkeypatch.setattr("dojo.telling.failure.failure_of", lambda *_: None)
    item: Any = None
    assert report._explained(item, Kata("99_words", tmp_path), ValueError()) is explained
