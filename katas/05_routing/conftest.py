"""When a test of this kata fails, look for the setting that is the cause, and say that.

Every message passes through the same settings. So a mistake in one of them fails tests that
are about another one. Nothing here makes a test fail: a test that passes is not looked at.
"""

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from celery.app.defaults import DEFAULTS
from celery.app.routes import MapRoute, Router, prepare
from kombu import Queue

#: Where the given tasks go when no customer is named.
RULE = {
    "mail.welcome": "mail",
    "mail.receipt": "mail",
    "image.render": "image",
    "image.thumbnail": "image",
    "report.daily": "default",
}
SETTINGS = ("task_routes", "task_default_queue", "task_queues", "task_create_missing_queues")
FIVE = set(RULE.values()) | {"express", "wholesale"}


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Let a failure speak of its cause."""
    kata, mark = pyfuncitem.funcargs["kata"], pyfuncitem.get_closest_marker("todo")
    conf, before = kata.app.conf, {name: kata.app.conf[name] for name in SETTINGS}
    try:
        return (yield)
    except NotImplementedError:
        raise  # it names its TODO
    except Exception as error:
        for name, value in before.items():  # the test may have set others, or what it called
            conf[name] = value
        if isinstance(error, AttributeError) and error.obj is kata:
            raise  # a name is missing from the file
        if cause := find_cause(kata, mark.args[0]):
            text, where = cause
            raise AssertionError(text).with_traceback(where or error.__traceback__) from None
        raise


def find_cause(kata, todo):
    """What to say of the settings when a test about this TODO fails, and the traceback, if any.

    Raises:
        NotImplementedError: the TODO is not begun, or an earlier one that it needs.
    """
    conf = kata.app.conf
    if todo == 2:
        check_begun(kata, 2, *SETTINGS[2:])
    if todo == 4:
        with contextlib.suppress(AttributeError, LookupError, TypeError, ValueError):
            kata.route_wholesale("image.render", (1,), {"customer": "wholesale"}, {})
    check_begun(kata, 1, *SETTINGS[:2])
    if text := fault_of_queues(conf):
        return text, None
    if not conf.task_routes:
        return ("TODO 1: the setting `task_routes` is empty.", None) if todo > 1 else None
    return fault_of_routes(kata.app, todo)


def check_begun(kata, todo, *settings):
    """Raise NotImplementedError if the file is as it was given, as far as these settings go."""
    conf, source = kata.app.conf, Path(kata.__file__).read_text(encoding="utf-8")
    # A setting with a mistyped name, or beside `conf`, is a beginning. The report says so then.
    known = {*DEFAULTS, "deprecated_settings"}  # the second one is Celery's note to itself
    strange = set(map(str.lower, conf.changes)) - known or set(vars(kata.app)) & {*settings}
    untouched = all(conf[name] == DEFAULTS[name] for name in settings)
    if untouched and not strange and f'# raise NotImplementedError("TODO {todo}:' in source:
        raise NotImplementedError(f"TODO {todo}: set {' and '.join(settings)}")


def fault_of_queues(conf):
    """What is wrong with `task_queues`, so that messages to the five queues fail; or ""."""
    queues = conf.task_queues
    if not queues:
        if conf.task_create_missing_queues:
            return ""  # each queue is created when it is named
        return "TODO 2: the setting `task_queues` is empty, and no queue is created."
    if isinstance(queues, Mapping):  # Celery also takes a dict of names and options
        strange = [q for q in queues.values() if not isinstance(q, Queue | Mapping)]
        names = set(queues)
    elif isinstance(queues, list | tuple | set):
        strange = [q for q in queues if not isinstance(q, Queue)]
        names = {q.name for q in queues if isinstance(q, Queue)}
    else:
        return f"TODO 2: `task_queues` must be a list of kombu.Queue objects. It is {queues!r}."
    if strange:
        kind = f"{type(strange[0]).__module__}.{type(strange[0]).__name__}"
        kind = kind.removeprefix("builtins.")
        return (
            "TODO 2: `task_queues` must hold kombu.Queue objects, such as Queue('mail'). "
            f"It holds {strange[0]!r}, which is a {kind}."
        )
    if missing := sorted(FIVE - names):
        return f"TODO 2: `task_queues` has no queue {listed(missing)}. It has {listed(names)}."
    if (default := conf.task_default_queue) not in names:
        return (
            f"TODO 1: `task_default_queue` is {default!r}, and `task_queues` has no such queue. "
            "The default queue must be 'default'."
        )
    return ""


def listed(names):
    return ", ".join(map(repr, sorted(names)))


def routers_of(app):
    """The routers in `task_routes` as the learner wrote them, and as Celery uses them."""
    entries = app.conf.task_routes
    entries = entries if isinstance(entries, list | tuple) else [entries]
    return list(zip(entries, prepare(entries), strict=True))


def shown(entry):
    """A router as the learner wrote it: a function by its name."""
    return re.sub(r"<function (\S+) at \w+>", r"\1", getattr(entry, "__name__", repr(entry)))


def todo_of(entry, router):
    """The TODO that a router is about: the dict is TODO 1, unless it has the function in it."""
    is_dict = isinstance(router, MapRoute) and "<function " not in repr(entry)
    return 1 if is_dict else 4


def ask(app, router, name, args, kwargs):
    """What a router says of a message."""
    return Router(app=app).query_router(router, name, args, kwargs, {}, app.tasks.get(name))


def queue_in(app, answer):
    """The queue that Celery takes from the answer of a router."""
    named = answer.get("queue") if isinstance(answer, Mapping) else answer
    return getattr(named, "name", named) or app.conf.task_default_queue


def fault_of_routes(app, todo):
    """Which part of `task_routes` sends a message without a customer to the wrong queue.

    A wrong dict is the matter of TODO 1, and its own tests say so in their own words.
    """
    try:
        routers = routers_of(app)
    except Exception as error:
        text = "TODO 1: `task_routes` must be a dict, or a list of routers such as a dict. It is\n"
        text += f"{shown(app.conf.task_routes)}.\nCelery says {type(error).__name__}: {error}."
        return text, None
    for name, queue in RULE.items():
        text, where = fault_of_route(app, routers, name, queue)
        if text and (todo > 1 or not text.startswith("TODO 1:")):
            return text, where
    return None


def fault_of_route(app, routers, name, queue):
    """What is wrong with the route of one task, if anything; and the traceback."""
    kind = name.split(".")[0]
    for entry, router in routers:
        todo = todo_of(entry, router)
        try:
            answer = ask(app, router, name, (), {})
        except NotImplementedError:
            raise
        except Exception as error:
            raised = f"{type(error).__name__}: {error}"
            text = f"TODO {todo}: Celery asked `{shown(entry)}` about {name}(). It raised {raised}."
            return text, error.__traceback__
        if answer is None:
            continue
        if (found := queue_in(app, answer)) == queue:
            return "", None
        text = f"TODO {todo}: a task `{kind}.*` goes to queue {found!r}. It must go to {queue!r}.\n"
        text += f"Celery asked `{shown(entry)}` about {name}(), and it answered {answer!r}."
        return text + "\nA router that has no answer returns None." * (todo == 4), None
    if app.conf.task_default_queue == queue:
        return "", None
    if queue == "default":
        return f"TODO 1: `task_default_queue` is {app.conf.task_default_queue!r}.", None
    shown_routes = ", ".join(shown(entry) for entry, _ in routers)
    if all(isinstance(router, MapRoute) for _, router in routers):
        return f"TODO 1: `task_routes` has no route for `{kind}.*`: [{shown_routes}].", None
    return f"TODO 4: `task_routes` no longer has a route for `{kind}.*`: [{shown_routes}].", None


@pytest.fixture
def answers_of_routers(kata):
    """`answers_of_routers(event)` tells what each router in `task_routes` says of a message."""

    def told(event):
        routers = routers_of(kata.app)
        if all(isinstance(router, MapRoute) for _, router in routers):
            shown_routes = ", ".join(shown(entry) for entry, _ in routers)
            return f"`route_wholesale` is not in the setting task_routes: [{shown_routes}]."
        lines = [
            f"{place}. `{shown(entry)}` answers "
            f"{ask(kata.app, router, event.task, event.args, dict(event.kwargs))!r}"
            for place, (entry, router) in enumerate(routers, 1)
        ]
        asked = f"Asked about {event.call}, the routers in task_routes say:"
        return "\n".join([asked, *lines, "The first answer that is not None decides."])

    return told
