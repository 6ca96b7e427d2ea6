"""Tests of kata 05. Each docstring is one requirement."""

import inspect
import random
import threading
from collections import Counter
from contextlib import suppress

import pytest
from celery.canvas import Signature
from celery.exceptions import QueueNotFound
from celery.result import AsyncResult

pytestmark = pytest.mark.usefixtures("naps")

QUEUES = ["mail", "image", "default", "express", "wholesale"]


def number():
    return random.randint(1, 9999)


def word():
    return "".join(random.choices("bcdfgklmnprst", k=6))


def mistyped(queue):
    """Swap two neighbours: "emial" for "mail"."""
    place = random.choice([n for n in range(len(queue) - 1) if queue[n] != queue[n + 1]])
    return queue[:place] + queue[place + 1] + queue[place] + queue[place + 2 :]


def send_given_tasks(kata):
    for task in (kata.send_welcome, kata.send_receipt, kata.render_image, kata.make_thumbnail):
        task.delay(number())
    kata.daily_report.delay()


def add_task(kata, name):
    """A task that somebody adds to the app later."""

    def later(*, customer="private"):
        return customer

    return kata.app.task(name=name)(later)


def photo_of(event):
    """The arguments of an `image.render`, by name, without what is the default anyway."""
    named = {**dict(zip(["photo_id", "one too many"], event.args, strict=False)), **event.kwargs}
    return {k: v for k, v in named.items() if (k, v) != ("customer", "private")}


def shown(result):
    """What a function returned in place of an AsyncResult, and why that is none."""
    if isinstance(result, Signature):
        return f"the signature {result!r}, and nobody has sent it: no AsyncResult."
    ran = "\nThe photo was rendered in the caller: a plain call of a task sends nothing."
    return f"{result!r}: no AsyncResult.{ran if isinstance(result, str) else ''}"


def misrouted(timeline, expected, most=5, explain=None):
    """What is wrong with the queues of the messages that were sent, in order; "" if nothing."""
    sent = timeline.sent()
    if len(sent) != len(expected):
        return f"{len(expected)} tasks were to be sent, and {len(sent)} messages went out."
    pairs = [(e, queue) for e, queue in zip(sent, expected, strict=True) if e.queue != queue]
    lines = [f"{e.call} went to queue '{e.queue}'. It must go to '{to}'." for e, to in pairs]
    lines = [*dict.fromkeys(lines)]
    more = [f"… and {len(lines) - most} more."] if len(lines) > most else []
    why = [explain(*pairs[0])] if pairs and explain else []
    return "\n".join(lines[:most] + more + why)


def check_waiting(kata, timeline, queue_size):
    """Every message waits in its queue. A worker would wait for ever for one that does not."""
    for queue, count in Counter(event.queue for event in timeline.sent()).items():
        waiting = queue_size(queue)
        assert waiting == count, (
            f"TODO 2: messages that were sent to queue '{queue}': {count}. Waiting there: "
            f"{waiting}.\nIt must reach its queue and no other: use `Queue({queue!r})` alone. "
            f"The exchange is {kata.app.amqp.queues[queue].exchange!r}."
        )


@pytest.mark.todo(1)
def test_each_task_goes_to_its_queue(kata, timeline):
    """`mail.*` goes to queue `mail`, `image.*` to `image`, and every other task to `default`."""
    send_given_tasks(kata)

    wrong = misrouted(timeline, ["mail", "mail", "image", "image", "default"])
    assert not wrong, wrong


@pytest.mark.todo(1)
def test_later_tasks_follow_the_rule(kata, timeline):
    """A task that is added later follows the rule: its name decides, up to the first dot."""
    names = [f"image.{word()}", f"mail.{word()}", f"image.{word()}.{word()}"]
    others = [f"{word()}.{word()}", f"imagery.{word()}", f"mailbox.{word()}"]
    others += [f"{word()}.image.{word()}", f"express.{word()}"]
    for name in names + others:
        add_task(kata, name).delay()

    wrong = misrouted(timeline, ["image", "mail", "image", *["default"] * len(others)])
    assert not wrong, wrong


@pytest.mark.todo(1)
def test_the_rest_goes_to_the_default_queue(kata, timeline):
    """`default` is the default queue: a task for which there is no route at all goes there."""
    kata.app.conf.update(task_routes={})  # what is left is the setting task_default_queue
    send_given_tasks(kata)
    add_task(kata, f"{word()}.{word()}").delay()

    wrong = misrouted(timeline, ["default"] * 6)
    assert not wrong, f"The test took all routes away.\n{wrong}"


@pytest.mark.todo(1)
def test_a_worker_on_mail_leaves_the_rest(kata, start_worker, timeline, queue_size, settle):
    """A worker on `mail` alone runs the mail, and the rest waits for a worker of its own."""
    mails, photos = random.randint(2, 4), random.randint(5, 7)
    for _ in range(photos):
        kata.render_image.delay(number())
    for _ in range(mails):
        kata.send_receipt.delay(number())
    kata.daily_report.delay()
    check_waiting(kata, timeline, queue_size)

    start_worker(queues="mail")
    settle()

    ran = [e.task for e in timeline.started()]
    assert ran == ["mail.receipt"] * mails, (
        f"{mails} receipts were sent. A worker with -Q mail ran {ran or 'nothing'}."
    )
    waiting = {name: queue_size(name) for name in ("image", "default")}
    assert waiting == {"image": photos, "default": 1}, (
        f"{photos} photos must wait in 'image', and 1 report in 'default'. There wait: {waiting}."
    )

    start_worker(queues="image,default")
    settle()

    rest = [e.task for e in timeline.started()[mails:]]
    assert sorted(rest) == ["image.render"] * photos + ["report.daily"], (
        f"A second worker with -Q image,default ran {rest or 'nothing'}."
    )


@pytest.mark.todo(2)
def test_a_mistyped_queue_raises(kata, timeline, queue_size):
    """The five queues can be named in a call. Any other name raises QueueNotFound."""
    for queue in QUEUES:
        kata.send_receipt.apply_async((number(),), queue=queue)
    wrong = misrouted(timeline, QUEUES)
    assert not wrong, wrong
    check_waiting(kata, timeline, queue_size)

    order_id, typo = number(), mistyped(random.choice(QUEUES))
    call = f"send_receipt.apply_async(({order_id},), queue={typo!r})"
    with suppress(QueueNotFound):
        kata.send_receipt.apply_async((order_id,), queue=typo)
        switch = f"`task_create_missing_queues` is {kata.app.conf.task_create_missing_queues}."
        raise AssertionError(
            f"Called {call}. It must raise QueueNotFound, and it raised nothing.\nCelery created "
            f"the queue, and {queue_size(typo)} message waits there. No worker reads it.\n{switch}"
        )
    assert len(timeline.sent()) == len(QUEUES), f"Called {call}. It raised, but it sent, too."


@pytest.mark.todo(2)
def test_a_worker_reads_all_five_queues(kata, workers, timeline, settle):
    """`celery -A tasks worker`, without -Q, reads all five queues, and there is no other."""
    workers()
    for queue in QUEUES:
        kata.make_thumbnail.apply_async((number(),), queue=queue)
    settle()

    read = sorted(timeline.events("ready")[-1].args)
    ran = {e.id for e in timeline.succeeded("image.thumbnail")}
    left = [e.queue for e in timeline.sent() if e.id not in ran]
    assert not left, (
        f"A worker without -Q reads only {read}. It must read all of {sorted(QUEUES)}.\n"
        f"Nobody runs the messages in: {', '.join(left)}."
    )
    others = sorted(set(read) - set(QUEUES))
    assert not others, f"A worker without -Q also reads {others}. There must be no other queue."


@pytest.mark.todo(3)
def test_render_names_the_queue_of_one_call(kata, timeline, naps, render):
    """`render` sends to `express` if asked to, else by its route. Other calls keep their route."""
    first, second, third = random.sample(range(1, 10_000), 3)

    results = [render(first, express=True)]
    kata.render_image.delay(third)
    results += [render(second), render(photo_id=first, express=False)]
    results += [render(first, True), render(second)]

    for result in results:
        assert isinstance(result, AsyncResult), f"`render` returned {shown(result)}"
    assert not naps, f"`render` called `time.sleep`, for {naps} seconds. It must return at once."
    assert not render.odd, render.odd[0]
    wrong = misrouted(timeline, ["express", "image", "image", "image", "express", "image"])
    assert not wrong, f"{wrong}\nName the queue in the one call: `apply_async(…, queue=…)`."
    sent = timeline.sent()[:1] + timeline.sent()[2:]  # without the call that is not by `render`
    for event, photo_id in zip(sent, [first, second, first, first, second], strict=True):
        assert (event.task, photo_of(event)) == ("image.render", {"photo_id": photo_id}), (
            f"`render` was called for the photo {photo_id}. It sent {event.call}."
        )
    assert len({event.id for event in sent}) == len(sent), (
        "Two calls of `render` sent messages with the same task id. Let Celery make the ids."
    )
    same = [result.id for result in results] == [event.id for event in sent]
    assert same, "`render` did not return the AsyncResult of the task that it sent."

    other = random.choice(["mail", "default", "wholesale"])
    kata.app.conf.update(task_routes={"image.*": {"queue": other}})
    kata.render(second)
    found = timeline.sent()[-1].queue
    assert found == other, (
        f"The route of `image.*` was changed to queue '{other}'. `render` still sent to "
        f"'{found}'.\nIf it is not express, `render` must name no queue: the route decides."
    )


@pytest.mark.todo(3)
def test_express_overtakes(kata, start_worker, timeline, queue_size, settle, hold):
    """A worker on `express` alone renders the express photo. `render` waits for no worker."""
    photos = random.sample(range(1, 10_000), 5)
    for photo_id in photos[:-1]:
        kata.render(photo_id)
    result = kata.render(photos[-1], express=True)
    check_waiting(kata, timeline, queue_size)

    start_worker(queues="express")

    assert result.get() == f"photo {photos[-1]} for a private customer"
    settle()
    ran = len(timeline.started())
    assert ran == 1, f"One photo was express. A worker with -Q express ran {ran} tasks."
    left = queue_size("image")
    assert left == 4, f"4 photos must still wait in queue 'image'. There wait {left}."

    # Now a worker is there for both, and holds each photo until `render` has returned. It goes
    # on, too, when `render` does nothing but wait.
    start_worker(queues="image")
    settle()
    has_returned = threading.Event()
    hold("image.render", until=has_returned.is_set)
    for express in (True, False):
        has_returned.clear()
        before = len(timeline.succeeded())
        kata.render(photos[0], express=express)
        waited = len(timeline.succeeded()) > before
        has_returned.set()
        settle()
        call = f"render({photos[0]}, express={express})"
        assert not waited, f"{call} waited for a result: it returned after the photo was done."


@pytest.mark.todo(4)
def test_wholesale_photos_have_a_queue(kata, timeline, answers_of_routers):
    """`image.*` with customer="wholesale" goes to `wholesale`; the rest keeps its route."""
    wholesale, other = {"customer": "wholesale"}, {"customer": word()}
    if inspect.isfunction(kata.route_wholesale):
        kata.route_wholesale("image.render", (1,), {**wholesale}, {})  # is it written yet?
    new_task = f"image.{word()}"  # not in the app: the sender knows no more than the name
    calls = [
        ("image.render", wholesale, "wholesale"),
        ("image.render", wholesale, "express"),  # named in the call, which wins
        ("image.thumbnail", wholesale, "wholesale"),
        (new_task, wholesale, "wholesale"),
        (f"image.{word()}.{word()}", {"paper": word(), **wholesale}, "wholesale"),
        ("image.render", other, "image"),
        ("image.render", {}, "image"),
        *[(new_task, {"customer": name}, "image") for name in ("wholesaler", "whole", None)],
        (new_task, {"paper": "wholesale", **other}, "image"),  # the word in another argument
        ("mail.receipt", wholesale, "mail"),
        ("mail.image", wholesale, "mail"),
        ("report.daily", wholesale, "default"),
        (f"imagery.{word()}", wholesale, "default"),
        (f"{word()}.image.{word()}", wholesale, "default"),
    ]
    for name, kwargs, queue in calls:
        args = () if name == "report.daily" else (number(),)
        options = {"queue": "express"} if queue == "express" else {}
        if name in kata.app.tasks:
            kata.app.tasks[name].apply_async(args, dict(kwargs), **options)
        else:
            kata.app.send_task(name, args, dict(kwargs), **options)

    wrong = misrouted(timeline, [call[-1] for call in calls], 1, explain=answers_of_routers)
    assert not wrong, wrong
    for event, (name, kwargs, _) in zip(timeline.sent(), calls, strict=True):
        assert event.kwargs == kwargs, (
            f"{name} was called with {kwargs}. The message has {dict(event.kwargs)}.\nA router "
            "gets the arguments themselves. It must not change them."
        )
