"""Words for errors whose own text tells a newcomer little."""

from __future__ import annotations

import pytest

from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

SUM = "def test_it(kata, eager): assert kata.add(1, 1) == 3"
LINE = TASKS.count("\n")


def told(workshop: Workshop, tests: str, added: str) -> list[str]:
    """The lines that are printed for a kata with this code."""
    workshop.kata(tests, f"{TASKS}\n{added}\n")
    result = workshop.run()
    result.assert_outcomes(failed=1)
    return [line.strip() for line in result.outlines]


@pytest.mark.parametrize(
    ("tests", "added", "says"),
    [
        (
            "def test_it(kata, celery_worker): kata.begin().get()",
            "def begin():\n    return add.s(1, 2)",
            ".get() was called on a signature that nobody has sent. It is a kind of dict. An "
            "AsyncResult is expected here.",
        ),
        (
            "def test_it(kata, celery_worker): kata.begin().get()",
            "import celery\n\ndef begin():\n    return celery.chain(add(1, 2), add.s(3)).delay()",
            "Celery was handed 3. That is not a signature, such as `task.s(1, 2)`.",
        ),
        (
            "def test_it(kata, eager): kata.double.delay(1)",
            "def double(x):\n    return 2 * x",
            "`double` is a plain function, and no task. Only a task has .delay().",
        ),
        (
            "def test_it(kata, eager): kata.leave()",
            "import sys\n\ndef leave():\n    sys.exit(1)",
            "Your code calls sys.exit(). In a worker that ends the worker, and not only the task: "
            "return, or raise an error.",
        ),
        (
            "def test_it(kata, celery_worker): assert kata.quiet.delay().get() == 1",
            "@app.task(ignore_result=True)\ndef quiet():\n    return 1",
            "The result of tasks.quiet is not kept: the task has ignore_result=True.",
        ),
        (
            "def test_it(kata, celery_worker): kata.app.AsyncResult(kata.quiet.delay().id).get()",
            "@app.task(ignore_result=True)\ndef quiet():\n    return 1",
            "The result of tasks.quiet is not kept: the task has ignore_result=True.",
        ),
        (
            "def test_it(kata, eager): kata.render.delay([1]).get()",
            "@app.task\ndef render(self, photos):\n    return photos",
            "The first parameter of `render` is `self`, but the task is not bound. With "
            "`bind=True` Celery passes the task as the first argument.",
        ),
        (
            "def test_it(kata, eager): kata.render.delay([1]).get()",
            "@app.task(bind=True)\ndef render(photos):\n    return photos",
            "`render` is bound (`bind=True`): Celery passes the task as the first argument. The "
            "function needs a parameter for it, `self`.",
        ),
        (
            SUM,
            "@app.task(track_start=True)\ndef other():\n    pass",
            "`track_start` is not an option of a task. Did you mean `track_started`?",
        ),
        (
            "def test_it(kata, celery_worker): kata.begin().get()",
            "@app.task\ndef done():\n    pass\n\ndef begin():\n"
            "    return (add.s(1, 2) | done.s()).delay()",
            "`done` comes next, and cannot be called like that. With `.s` its first argument is "
            "the result of the task before it; yours come after that. With `.si` it gets only "
            "yours.",
        ),
        (
            SUM,
            "app.conf.task_rotues = {}",
            "`task_rotues` is not a setting of Celery. Did you mean `task_routes`?",
        ),
        (
            SUM,
            "app.task_routes = {}",
            "`app.task_routes` is no setting. Set `app.conf.task_routes`.",
        ),
        (
            SUM,
            "app.timezone = 'Europe/Amsterdam'",
            "`app.timezone` is no setting. Set `app.conf.timezone`.",
        ),
        (
            SUM,
            "app.conf.timezone = 'CEST'",
            "`timezone`: there is no time zone 'CEST'. One of them is 'Europe/Amsterdam'.",
        ),
    ],
    ids=lambda text: text.partition(" ")[0] if text.endswith((".", "?")) else "",
)
def test_in_our_words(workshop: Workshop, tests: str, added: str, says: str) -> None:
    """What Python or Celery would say is said so that a newcomer knows what to do."""
    assert says in told(workshop, tests, added)


@pytest.mark.parametrize(
    "added",
    [
        "app.conf.my_own = 1",
        "app.conf.task_serializer = 'json'",
        "app.timezone",
        "@app.task(bind=True, retry_backoff=3, my_own=1)\ndef other(task):\n    pass",
    ],
)
def test_nothing_to_say(workshop: Workshop, added: str) -> None:
    """What is no mistake is let alone."""
    lines = told(workshop, SUM, added)
    words = ("setting", "does not look", "option", "bound")
    assert not [line for line in lines if any(word in line for word in words)]


def test_a_time_zone(workshop: Workshop) -> None:
    """A time zone that does not exist is told once, with its line."""
    both = """
        def test_first(kata, beat):
            kata.app.timezone

        def test_second(kata, beat):
            kata.app.timezone
    """
    workshop.kata(both, f"{TASKS}\napp.conf.timezone = 'Europe/Amsterdm'\n")
    result = workshop.run()
    result.stdout.fnmatch_lines(
        [
            "___* katas/99_sample/tasks.py ___*",
            f"    katas/99_sample/tasks.py, line {LINE + 2}: `timezone`: there is no time zone "
            "'Europe/Amsterdm'. Did you mean 'Europe/Amsterdam'?",
            "        app.conf.timezone = 'Europe/Amsterdm'",
            "*the file has an error: see above",
            "*1 failed, 1 to do in *",
        ]
    )


def test_a_time_zone_of_the_code(workshop: Workshop) -> None:
    """One that is not the setting is told as the error that it is, with its place."""
    lines = told(
        workshop,
        "def test_it(kata, beat): kata.here()",
        "import zoneinfo\napp.conf.timezone = 'UTC'\n\ndef here():\n    zoneinfo.ZoneInfo('UTX')",
    )
    assert "ZoneInfoNotFoundError: 'No time zone found with key UTX'" in lines
    assert "zoneinfo.ZoneInfo('UTX')" in lines
