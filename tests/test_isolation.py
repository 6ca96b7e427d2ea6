"""Nothing of one test reaches the next one, and nothing is left when the run is over.

The inner tests come in pairs that do the same, so that they tell in any order.
"""

from __future__ import annotations

import pytest

from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)


def test_signals_are_disconnected(workshop: Workshop) -> None:
    """What the learner connects to a signal is called in its own test only."""
    workshop.kata(
        """
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        def test_once(kata, eager, turn, before=[]):
            kata.add.delay(1, 2)
            assert kata.CALLS == ["any task", "this task"]
            before.append(kata.CALLS)
            assert all(len(calls) == 2 for calls in before)
        """,
        TASKS
        + """
CALLS = []
from celery.signals import task_prerun

@task_prerun.connect(weak=False)
def note(**_):
    CALLS.append("any task")

@task_prerun.connect(sender=add, weak=False)
def note_add(**_):
    CALLS.append("this task")
""",
    )
    workshop.passes(2)


def test_apps_and_shared_tasks_are_forgotten(workshop: Workshop) -> None:
    """An app that makes itself the default, and its shared tasks, end with their test."""
    tasks = """
        from celery import Celery, shared_task

        app = Celery("{0}")
        app.set_default()

        @shared_task
        def {0}():
            pass
    """
    tests = """
        import threading
        import pytest
        from celery import current_app

        def test_app(kata, eager):
            found = [current_app.main]
            thread = threading.Thread(target=lambda: found.append(current_app.main))
            thread.start()
            thread.join()
            assert found == ["{0}", "{0}"]
            assert [n for n in kata.app.tasks if not n.startswith("celery.")] == ["tasks.{0}"]

        def test_no_app():
            assert current_app.main == "default"  # Celery makes this one if there is none
    """
    for number, name in [(98, "one"), (99, "two")]:
        workshop.kata(tests.format(name), tasks.format(name), f"{number}_{name}")
    workshop.passes(4)


def test_a_broken_file_leaves_nothing(workshop: Workshop) -> None:
    """A file that fails half-way through its import leaves nothing either."""
    workshop.kata(
        "def test_it(kata, eager): pass",
        TASKS
        + """
from celery import shared_task, signals

app.set_default()
signals.task_prerun.connect(print, weak=False)

@shared_task
def left_behind():
    pass

raise ValueError("no further")
""",
    )
    workshop.kata(
        """
        from celery import current_app, signals

        def test_clean(kata, eager):
            assert print not in [receiver for _, receiver in signals.task_prerun.receivers]
            assert "tasks.left_behind" not in kata.app.tasks

        def test_no_app():
            assert current_app.main == "default"  # Celery makes this one if there is none
        """,
        slug="98_other",
    )
    workshop.run().assert_outcomes(failed=1, passed=2)


def test_settings_stay_with_their_app(workshop: Workshop) -> None:
    """Eager mode, or a change of any setting, ends with its test."""
    workshop.kata(
        """
        import pytest

        def test_eager(kata, eager):
            assert kata.add.delay(1, 2).get() == 3
            assert kata.app.conf.task_always_eager

        @pytest.mark.parametrize("turn", [1, 2])
        def test_on_a_worker(kata, celery_worker, timeline, turn):
            assert kata.app.conf.task_serializer == "json"
            assert kata.add.delay(1, 2).get() == 3
            assert [event.eager for event in timeline.started()] == [False]
            kata.app.conf.update(task_always_eager=True, task_serializer="pickle")
        """
    )
    workshop.passes(3)


def test_serializers_are_forgotten(workshop: Workshop) -> None:
    """A type of the learner's that is registered with kombu's JSON ends with its test."""
    workshop.kata(
        """
        import pytest
        from kombu import serialization
        from kombu.utils import json

        @pytest.mark.parametrize("turn", [1, 2])
        def test_registered(kata, eager, turn):
            with pytest.raises(TypeError):
                json.dumps(kata.Size(turn))
            assert json.loads(json.dumps(kata.Decimal("1.50"))) == kata.Decimal("1.50")
            assert "upper" not in serialization.registry._encoders
            assert serialization.dumps({})[0] == "application/json"
            kata.register()
            assert type(json.loads(json.dumps(kata.Size(turn)))) is kata.Size
            assert json.loads(json.dumps({turn})) == str({turn})
            assert kata.add.apply_async((turn, 1), serializer="upper").get() == turn + 1

        def test_not_registered():
            with pytest.raises(TypeError):
                json.dumps({1})
            with pytest.raises(ValueError):
                json.loads('{"__type__": "size", "__value__": 1}')
        """,
        TASKS
        + """
from dataclasses import dataclass
from decimal import Decimal
from kombu import serialization
from kombu.utils import json

@dataclass
class Size:
    cm: int

def register():
    json.register_type(Size, "size", lambda size: size.cm, Size)
    json.register_type(Decimal, "decimal", str, float)
    json.JSONEncoder.default, default = (
        lambda self, o: str(o) if isinstance(o, set) else default(self, o)
    ), json.JSONEncoder.default
    serialization.register("upper", lambda data: json.dumps(data), json.loads, "application/upper")
    serialization.registry._set_default_serializer("upper")
""",
    )
    workshop.passes(3)


def test_messages_are_not_handed_on(workshop: Workshop) -> None:
    """A message or a result that nobody took is not there in the next test."""
    workshop.kata(
        """
        import pytest
        from celery.result import AsyncResult

        @pytest.mark.parametrize("turn", [1, 2, 3])
        def test_left_in_the_queue(kata, queue_size, turn):
            assert queue_size("celery") == 0
            kata.add.delay(1, turn)
            kata.add.apply_async((1, turn), task_id="chosen", queue="mail")
            assert (queue_size("celery"), queue_size("mail")) == (1, 1)

        @pytest.mark.parametrize("turn", [1, 2])
        def test_with_a_worker(kata, celery_worker, settle, timeline, turn):
            assert AsyncResult("chosen", app=kata.app).state == "PENDING"
            kata.add.apply_async((turn, turn), task_id="chosen")
            settle()
            assert [event.args for event in timeline.started()] == [(turn, turn)]
        """
    )
    workshop.passes(5)


def test_no_thread_and_no_port_is_left(workshop: Workshop) -> None:
    """When the last test is over nobody listens, and only the main thread is left."""
    workshop.write(
        "katas/99_sample/conftest.py",
        """
        import socket, threading
        import pytest
        from urllib.parse import urlsplit

        ADDRESSES = set()

        @pytest.fixture(autouse=True)
        def note_address(redis_url):
            address = urlsplit(redis_url)
            ADDRESSES.add((address.hostname, address.port))

        def pytest_unconfigure(config):
            (address,) = ADDRESSES
            with socket.socket() as caller:
                print("refused:", caller.connect_ex(address) != 0)
            others = set(threading.enumerate()) - {threading.main_thread()}
            for thread in others:
                thread.join(10)  # it may be about to end
            print("threads:", [thread.name for thread in others if thread.is_alive()])
        """,
    )
    workshop.kata(
        """
        import pytest

        def test_worker(kata, celery_worker):
            assert kata.add.delay(1, 2).get() == 3

        @pytest.mark.worker(concurrency=3)
        def test_threads(kata, celery_worker):
            kata.add.apply_async((1, 2), countdown=3600)
            assert kata.add.delay(1, 2).get() == 3

        def test_several(kata, start_worker):
            start_worker(queues="mail")
            start_worker(queues="celery")
            assert kata.add.delay(1, 2).get() == 3

        def test_no_worker(kata):
            with pytest.raises(AssertionError):
                kata.add.delay(1, 2).get()

        def test_failing(kata, celery_worker, hold):
            hold("tasks.add", until=lambda: False)
            kata.add.delay(1, 2)
            assert False
        """
    )
    result = workshop.run()
    result.assert_outcomes(passed=4, failed=1)
    assert {"refused: True", "threads: []"} <= set(result.outlines)


def test_a_second_worker_minds_etas(workshop: Workshop) -> None:
    """Every worker of a run starts tasks that are due later (celery/celery#9983)."""
    workshop.kata(
        """
        import pytest

        @pytest.mark.parametrize("turn", [1, 2, 3])
        def test_due_later(kata, celery_worker, turn):
            assert kata.add.apply_async((turn, turn), countdown=0.1).get() == 2 * turn
        """
    )
    workshop.passes(3)


def test_the_garbage_collector_is_on(workshop: Workshop) -> None:
    """Python's garbage collector spares what is imported, and not what a test leaves."""
    workshop.kata(
        """
        import gc
        import weakref
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        def test_eager(kata, eager, turn, before=[]):
            assert kata.add.delay(1, 2).get() == 3
            gc.collect()
            assert not any(app() for app in before)
            before.append(weakref.ref(kata.app))

        @pytest.mark.parametrize("turn", [1, 2])
        def test_with_a_worker(kata, celery_worker, turn):
            assert kata.add.delay(1, 2).get() == 3
            assert gc.isenabled()
            assert gc.get_freeze_count() > 10_000  # most of them belong to modules
        """,
        TASKS,
    )
    workshop.passes(4)
