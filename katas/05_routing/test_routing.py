"""Tests of kata 05. Each docstring is one requirement."""

import contextlib
import random

import pytest
from celery.canvas import Signature
from celery.exceptions import QueueNotFound
from celery.result import AsyncResult

QUEUES = ["mail", "image", "default", "express", "wholesale"]


def number():
    return random.randint(1, 9999)


def word():
    return "".join(random.choices("bcdfgklmnprst", k=6))


def mistyped(queue):
    """Swap two neighbours: "emial" for "mail"."""
    place = random.choice([n for n in range(len(queue) - 1) if queue[n] != queue[n + 1]])
    return queue[:place] + queue[place + 1] + queue[place] + queue[place + 2 :]


def add_task(kata, name):
    """A task that somebody adds to the app later."""

    @kata.app.task(name=name)
    def later(*, customer="private"):
        return customer

    return later


def shown(result):
    """What a function returned. A signature is easily taken for a message that was sent."""
    unsent = isinstance(result, Signature)
    return f"the signature {result!r}, and nobody has sent it" if unsent else repr(result)


def misrouted(timeline, expected):
    """What is wrong with the queues of the messages that were sent, in order; "" if nothing."""
    sent = timeline.sent()
    if len(sent) != len(expected):
        return f"{len(expected)} tasks were to be sent, and {len(sent)} messages went out."
    return "\n".join(
        f"{event.call} went to queue '{event.queue}'. It must go to '{queue}'."
        for event, queue in zip(sent, expected, strict=True)
        if event.queue != queue
    )


def about_the_router(kata):
    """What `task_routes` says of the router."""
    routes = kata.app.conf.task_routes
    routes = list(routes) if isinstance(routes, (list, tuple)) else [routes]
    if kata.route_wholesale not in routes:
        return f"`route_wholesale` is not in the setting task_routes: {routes}."
    place = routes.index(kata.route_wholesale) + 1
    return (
        f"`route_wholesale` is number {place} in task_routes. The first one that answers decides."
    )


@pytest.mark.todo(1)
def test_each_task_goes_to_its_queue(kata, timeline):
    """`mail.*` goes to queue `mail`, `image.*` to `image`, and every other task to `default`."""
    kata.send_welcome.delay(f"{word()}@example.com")
    kata.send_receipt.delay(number())
    kata.render_image.delay(number())
    kata.make_thumbnail.delay(number())
    kata.daily_report.delay()

    wrong = misrouted(timeline, ["mail", "mail", "image", "image", "default"])
    assert not wrong, wrong


@pytest.mark.todo(1)
def test_later_tasks_follow_the_rule(kata, timeline):
    """A task that is added later follows the rule: its name decides, up to the first dot."""
    names = [f"image.{word()}", f"mail.{word()}", f"{word()}.{word()}"]
    names += [f"imagery.{word()}", f"mailbox.{word()}", f"{word()}.image.{word()}"]
    for name in names:
        add_task(kata, name).delay()

    wrong = misrouted(timeline, ["image", "mail", "default", "default", "default", "default"])
    assert not wrong, wrong


@pytest.mark.todo(1)
def test_a_worker_on_mail_leaves_the_rest(kata, start_worker, timeline, queue_size, settle):
    """A worker on `mail` alone runs the mail, and the rest waits for a worker of its own."""
    mails, photos = random.randint(2, 4), random.randint(5, 7)
    for _ in range(photos):
        kata.render_image.delay(number())
    for _ in range(mails):
        kata.send_receipt.delay(number())
    kata.daily_report.delay()

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

    order_id, typo = number(), mistyped(random.choice(QUEUES))
    call = f"send_receipt.apply_async(({order_id},), queue={typo!r})"
    with contextlib.suppress(QueueNotFound):
        kata.send_receipt.apply_async((order_id,), queue=typo)
        pytest.fail(
            f"Called {call}. It must raise QueueNotFound, and it raised nothing.\n"
            f"{queue_size(typo)} message waits in queue {typo!r}, which no worker reads."
        )
    assert len(timeline.sent()) == len(QUEUES), f"Called {call}. It raised, but it sent, too."


@pytest.mark.todo(2)
def test_a_worker_reads_all_five_queues(kata, workers, timeline, settle):
    """`celery -A tasks worker`, without -Q, reads all five queues."""
    workers()
    for queue in QUEUES:
        kata.make_thumbnail.apply_async((number(),), queue=queue)
    settle()

    read = sorted(timeline.events("ready")[-1].args)
    ran = {e.id for e in timeline.succeeded("image.thumbnail")}
    left = [e.queue for e in timeline.sent() if e.id not in ran]
    assert not left, (
        f"A worker without -Q reads only {read}. It must read all of {sorted(QUEUES)}.\n"
        f"There is a message that nobody runs in: {', '.join(left)}."
    )


@pytest.mark.todo(3)
def test_render_names_the_queue_of_one_call(kata, timeline):
    """`render` sends to `express` if asked to, and every other call keeps its route."""
    photos = random.sample(range(1, 10_000), 4)

    result = kata.render(photos[0], express=True)
    kata.render(photos[1])
    kata.render(photos[2], express=False)
    kata.render_image.delay(photos[3])

    assert isinstance(result, AsyncResult), (
        f"`render` must return an AsyncResult. It returned {shown(result)}."
    )
    assert not timeline.reads(), "`render` waited for a result. No worker was running yet."
    wrong = misrouted(timeline, ["express", "image", "image", "image"])
    assert not wrong, wrong
    sent = [(e.task, *e.args, *e.kwargs.values()) for e in timeline.sent()]
    assert sent == [("image.render", photo) for photo in photos], (
        f"`render` was called for the photos {photos[:3]}. It sent {sent[:3]}."
    )
    assert result.id == timeline.sent()[0].id, "`render` did not return the task's own result."


@pytest.mark.todo(3)
def test_express_overtakes(kata, start_worker, timeline, queue_size, settle):
    """A worker on `express` alone renders the express photo, and the other photos wait."""
    photos = random.sample(range(1, 10_000), 5)
    for photo_id in photos[:-1]:
        kata.render(photo_id)
    result = kata.render(photos[-1], express=True)

    start_worker(queues="express")

    assert result.get() == f"photo {photos[-1]} for a private customer"
    settle()
    ran = len(timeline.started())
    assert ran == 1, f"One photo was express. A worker with -Q express ran {ran} tasks."
    assert queue_size("image") == 4, (
        f"4 photos must still wait in queue 'image'. There wait {queue_size('image')}."
    )


@pytest.mark.todo(4)
def test_wholesale_photos_have_a_queue(kata, timeline):
    """`image.*` with customer="wholesale" goes to `wholesale`; the rest keeps its route."""
    new_task = f"image.{word()}"
    wholesale, other = {"customer": "wholesale"}, {"customer": word()}

    kata.render_image.apply_async((number(),), wholesale)
    kata.make_thumbnail.apply_async((number(),), wholesale)
    kata.app.send_task(new_task, (), wholesale)  # a program that knows only the name
    kata.render_image.apply_async((number(),), other)
    kata.render_image.delay(number())
    kata.send_receipt.apply_async((number(),), wholesale)
    kata.daily_report.apply_async((), wholesale)
    kata.render_image.apply_async((number(),), wholesale, queue="express")  # the call wins

    expected = ["wholesale"] * 3 + ["image"] * 2 + ["mail", "default", "express"]
    wrong = misrouted(timeline, expected)
    assert not wrong, f"{wrong}\n{about_the_router(kata)}"
