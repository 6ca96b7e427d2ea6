"""When a test of this kata fails, look for the setting that is the cause, and say that.

Every message passes through the same settings. So a mistake in one of them fails tests that
are about another one. Nothing here makes a test fail: a test that passes is not looked at.
"""

import re
import traceback
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import pytest
from celery.app.defaults import DEFAULTS
from celery.app.routes import MapRoute, Router, prepare
from celery.exceptions import QueueNotFound

#: Where the given tasks go when no customer is named.
RULE = {
    "mail.welcome": "mail",
    "mail.receipt": "mail",
    "image.render": "image",
    "image.thumbnail": "image",
    "report.daily": "default",
}
QUEUES = [*dict.fromkeys(RULE.values()), "express", "wholesale"]
NO_QUEUE = "An answer without 'queue' means the default queue."
#: The settings that a TODO is about.
SETTINGS = {
    1: ("task_routes", "task_default_queue"),
    2: ("task_queues", "task_create_missing_queues"),
}


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Let a failure speak of its cause."""
    kata, todo = pyfuncitem.funcargs["kata"], pyfuncitem.get_closest_marker("todo").args[0]
    before = {name: kata.app.conf[name] for names in SETTINGS.values() for name in names}
    try:
        return (yield)
    except NotImplementedError:
        raise  # it names its TODO
    except Exception as error:
        if isinstance(error, AttributeError) and error.obj is kata:
            raise  # a name is missing from the file
        for name, value in before.items():  # the test may have set others, or what it called
            kata.app.conf[name] = value
        try:
            find_cause(kata, todo)
            check_router(kata, todo, error)
        except NotImplementedError as gap:
            raise gap.with_traceback(error.__traceback__) from None
        except AssertionError as cause:
            text = said(cause)
            text += advice(kata, todo, text)
            raise AssertionError(text).with_traceback(error.__traceback__) from None
        if isinstance(error, AssertionError) and (more := advice(kata, todo, said(error))):
            raise AssertionError(said(error) + more).with_traceback(error.__traceback__) from None
        raise


def said(error):
    """The message of an assertion, without what pytest adds to it."""
    return str(error).replace("\n  ", "\n").partition("\nassert ")[0]


def find_cause(kata, todo):
    """Look at the settings, because a test about this TODO fails.

    Raises:
        AssertionError: it says what is wrong.
        NotImplementedError: the TODO is not begun, or an earlier one that it needs.
    """
    if todo == 2:
        check_begun(kata, 2)
    check_begun(kata, 1)
    check_queues(kata.app)
    assert kata.app.conf.task_routes, "TODO 1: the setting `task_routes` is empty."
    for name, queue in RULE.items():
        found, owner, why = ask_routers(kata.app, name)
        goes = f"goes to queue {found!r}. It must go to" if found else "must go to queue"
        own_words = found and todo == owner == 1  # the tests of TODO 1 say it themselves
        assert found == queue or own_words, f"TODO {owner}: {name} {goes} {queue!r}.\n{why}"


def check_router(kata, todo, error):
    """The router itself raises, or it names a queue that does not exist."""
    if todo == 4 and isinstance(error, AttributeError) and error.obj is None:
        *_, frame = traceback.extract_tb(error.__traceback__)
        no_task = f"task.{error.name}" not in (frame.line or "")
        assert no_task, f"`task` is None here, so there is no `task.{error.name}`: use `name`."
    if todo == 4 and isinstance(error, QueueNotFound):
        wholesale = {"customer": "wholesale"}
        queue, _, why = ask_routers(kata.app, "image.render", (1,), wholesale)
        found = queue in kata.app.amqp.queues
        assert found, f"`task_queues` has no queue {queue!r}.\n{why}"


def advice(kata, todo, text):
    """What may be said below the text of a failure: "" or lines, each with its line break."""
    conf, names = kata.app.conf, [name for both in SETTINGS.values() for name in both]
    lines = [
        f"Celery does not look at the variable `{name}`: write `app.conf.{name}`."
        for name in names
        if name in vars(kata) and conf[name] == DEFAULTS[name]
    ]
    if todo == 1:
        lines += [
            f"`{name}` names its queue itself: take `queue=` out of its `@app.task`."
            for name in RULE
            if getattr(kata.app.tasks.get(name), "queue", None)
        ]
        if (default := conf.task_default_queue) != "default" and "task_default_queue" not in text:
            lines.append(
                "What no route answers for goes to `task_default_queue`, which is "
                f"{default!r}. Set it to 'default'."
            )
        told = [ask_routers(kata.app, name)[2] for name in RULE]
        keys = any("'routing_key'" in text and NO_QUEUE in text for text in told)
    else:  # the names of the options in `render` are among its constants
        code = getattr(kata.render, "__code__", None) if todo == 3 else None
        names_of_options = repr(code.co_consts if code else "")
        keys = "'routing_key'" in names_of_options and "'queue'" not in names_of_options
    lines += ["`routing_key` names no queue here: write `queue`."] if keys else []
    return "".join(f"\n{line}" for line in lines)


def check_begun(kata, todo):
    """Is anything set for this TODO? A setting with a mistyped name is a beginning, too."""
    conf, source = kata.app.conf, Path(kata.__file__).read_text(encoding="utf-8")
    if any(conf[name] != DEFAULTS[name] for name in SETTINGS[todo]):
        return
    unknown = (name for name in conf.changes if name not in DEFAULTS)
    strange = [*vars(kata), *vars(kata.app), *unknown]
    near = [n for n in strange if get_close_matches(n.lower(), SETTINGS[todo], cutoff=0.8)]
    one, other = SETTINGS[todo]
    assert not near, f"TODO {todo}: neither `{one}` nor `{other}` is set."
    if f'# raise NotImplementedError("TODO {todo}:' in source:
        raise NotImplementedError(f"TODO {todo}: set {one} and {other}")


def check_queues(app):
    """Can messages be sent to the five queues, and to the default queue?"""
    queues, default = app.conf.task_queues, app.conf.task_default_queue
    if not queues and app.conf.task_create_missing_queues:
        return  # each queue is created when it is named
    try:
        names = sorted(app.amqp.Queues(queues)) if queues else []
    except Exception as error:
        raise AssertionError(
            "TODO 2: `task_queues` must hold kombu.Queue objects, such as Queue('mail').\n"
            f"{kind_of(queues)}\nCelery says {type(error).__name__}: {error}."
        ) from None
    missing = ", ".join(repr(name) for name in QUEUES if name not in names)
    assert not missing, f"TODO 2: `task_queues` has no queue {missing}. It has {names}."
    assert default in names, (
        f"TODO 1: `task_default_queue` is {default!r}, and `task_queues` has no such queue. "
        "The default queue must be 'default'."
    )


def kind_of(queues):
    """What is in `task_queues` instead of queues: the first of them will do."""
    if not isinstance(queues, list | tuple):
        return f"It is {queues!r}."
    kind = type(queues[0])
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    value = f", {queues[0]!r}" if isinstance(queues[0], str) else ""
    if name == "queue.Queue":
        value = ", of Python's own library. Write `from kombu import Queue`"
    return f"The first in it is a {name}{value}."


def ask_routers(app, name, args=(), kwargs=None):
    """Ask the routers in `task_routes` about a message, as Celery does.

    Returns:
        The queue, or None if Celery fails; the TODO at fault if it is the wrong one; and a text.
    """
    entries = app.conf.task_routes
    entries = entries if isinstance(entries, list | tuple) else [entries]
    try:
        routers = prepare(entries)
    except Exception as error:
        text = (
            "`task_routes` must be a dict, or a list of routers. Each router is a dict or a "
            "function. It is\n"
        )
        return None, 1, f"{text}{shown(entries)}.\nCelery says {type(error).__name__}: {error}."
    asked = f"Asked about {name}, the routers in `task_routes` say:"
    for entry, router in zip(entries, routers, strict=True):
        todo = todo_of(entry, router)
        asked += f"\n`{shown(entry)}`: "
        try:
            task = app.tasks.get(name)
            answer = Router(app=app).query_router(router, name, args, kwargs or {}, {}, task)
        except NotImplementedError:
            raise
        except Exception as error:
            return None, todo, f"{asked}raises {type(error).__name__}: {error}{of_text(entry)}"
        asked += repr(answer)
        if answer is not None:
            queue, why = queue_in(app, answer)
            return queue, todo, f"{asked}\n{why}"
    default = app.conf.task_default_queue
    asked += f"\nNo answer: it goes to `task_default_queue`, which is {default!r}."
    if not any(isinstance(router, MapRoute) for router in routers):
        asked += "\nThe dict of routes is no longer in `task_routes`. The list needs both."
    return default, min(map(todo_of, entries, routers), default=1), asked


def of_text(entry):
    """A text among the routers is taken for an import path; and a dict holds no function."""
    if isinstance(entry, Mapping) and "<function " in repr(entry):
        return (
            "\nA dict of routes holds no function. Put the function in a list, in front of "
            "the dict."
        )
    if not isinstance(entry, str) or "." in entry.strip(".*"):
        return ""
    put = "the dict itself, without `*`" if "*" in entry else "the function itself, without quotes"
    return f"\nA text in the list is the import path of a router. Put {put}."


def todo_of(entry, router):
    """The TODO that a router is about: a dict is TODO 1, unless it has the function in it."""
    return 1 if isinstance(router, MapRoute) and "<function " not in repr(entry) else 4


def shown(router):
    """A router as the learner wrote it: a function by its name."""
    return re.sub(r"<function (\S+) at \w+>", r"\1", getattr(router, "__name__", repr(router)))


def queue_in(app, answer):
    """The queue that Celery takes from the answer of a router, and why."""
    if isinstance(answer, Mapping) and (no_options := answer.keys() & {"args", "kwargs"}):
        return None, f"A route has no {no_options.pop()!r}: it says only where the message goes."
    named = answer.get("queue") if isinstance(answer, Mapping) else answer
    if not named:
        none = "" if answer else " Return None, and Celery asks the next router."
        return app.conf.task_default_queue, NO_QUEUE + none
    why = "The first answer that is not None decides."
    if not isinstance(named, str):
        why += " Celery writes into the dict of an answer: return a new one each time."
    return getattr(named, "name", named), why


@pytest.fixture
def render(kata, timeline):
    """`render(…)` calls `render`. `render.odd` tells which calls did not send one message."""

    def call(*args, **options):
        before = len(timeline.sent())
        result = kata.render(*args, **options)
        if (count := len(timeline.sent()) - before) != 1:
            told = ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in options.items())])
            sent = f"{count} messages" if count else "nothing"
            call.odd.append(f"`render({told})` sent {sent}. Each call must send one message.")
        return result

    call.odd = []
    return call


@pytest.fixture
def answers_of_routers(kata):
    """`answers_of_routers(event, queue)` tells why a message did not go to that queue."""

    def told(event, queue):
        if queue == "express":
            return "The call names it, and that comes first. A router must not change `options`."
        if event.task.startswith("image.") and (why := not_asked(kata)):
            return why
        _, owner, text = ask_routers(kata.app, event.task, event.args, dict(event.kwargs))
        return f"TODO 1: {text}" if owner == 1 and queue != "wholesale" else text

    return told


def not_asked(kata):
    """Why nobody asks `route_wholesale` about an image: "" if it is asked."""
    entries = kata.app.conf.task_routes
    entries = entries if isinstance(entries, list | tuple) else [entries]
    asked = list(map(todo_of, entries, prepare(entries)))
    if 4 not in asked:
        return "`route_wholesale` is not in `task_routes`, so nobody asks it."
    if asked[0] == 1:
        return "`route_wholesale` stands behind the dict, which answered first. Put it in front."
    return ""
