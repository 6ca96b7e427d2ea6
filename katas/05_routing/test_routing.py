"""Tests of kata 05. Each docstring is one requirement."""

import random
from collections import Counter

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


def went_wrong(timeline, expected):
    """The messages that went to another queue than the expected one, in order."""
    return [e for e, queue in zip(timeline.sent(), expected, strict=False) if e.queue != queue]


def misrouted(timeline, expected, most=5):
    """What is wrong with the queues of the messages that were sent, in order; "" if nothing."""
    sent = timeline.sent()
    if len(sent) != len(expected):
        return f"{len(expected)} tasks were to be sent, and {len(sent)} messages went out."
    lines = [
        f"{event.call} went to queue '{event.queue}'. It must go to '{queue}'."
        for event, queue in zip(sent, expected, strict=True)
        if event.queue != queue
    ]
    more = [f"… and {len(lines) - most} more."] if len(lines) > most else []
    return "\n".join(lines[:most] + more)


def check_waiting(kata, timeline, queue_size):
    """Every message waits in its queue. A worker would wait for ever for one that does not."""
    for queue, count in Counter(event.queue for event in timeline.sent()).items():
        waiting = queue_size(queue)
        assert waiting == count, (
            f"TODO 2: messages that were sent to queue '{queue}': {count}. Waiting there: "
            f"{waiting}.\nAn exchange must bring each message to its queue, and to no other. "
            f"The exchange is {kata.app.amqp.queues[queue].exchange!r}."
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
def test_the_rest_goes_to_the_default_queue(kata, timeline):
    """`default` is the default queue: a task for which there is no route at all goes there."""
    kata.app.conf.update(task_routes={})  # what is left is the setting task_default_queue
    kata.daily_report.delay()
    add_task(kata, f"{word()}.{word()}").delay()

    wrong = misrouted(timeline, ["default", "default"])
    assert not wrong, f"Without any route: {wrong}\nThat is the setting task_default_queue."


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
    raised = False
    try:
        kata.send_receipt.apply_async((order_id,), queue=typo)
    except QueueNotFound:
        raised = True
    assert raised, (
        f"Called {call}. It must raise QueueNotFound, and it raised nothing.\n"
        f"{queue_size(typo)} message waits in queue {typo!r}, which no worker reads."
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
def test_render_names_the_queue_of_one_call(kata, timeline):
    """`render` sends to `express` if asked to, else by its route. Other calls keep their route."""
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

    other = random.choice(["mail", "default", "wholesale"])
    kata.app.conf.update(task_routes={"image.*": {"queue": other}})
    kata.render(photos[1])
    found = timeline.sent()[-1].queue
    assert found == other, (
        f"The route of `image.*` was changed to queue '{other}'. `render` still sent to "
        f"'{found}'.\nIf it is not express, `render` must name no queue: the route decides."
    )


@pytest.mark.todo(3)
def test_express_overtakes(kata, start_worker, timeline, queue_size, settle):
    """A worker on `express` alone renders the express photo, and the other photos wait."""
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
    assert queue_size("image") == 4, (
        f"4 photos must still wait in queue 'image'. There wait {queue_size('image')}."
    )


@pytest.mark.todo(4)
def test_wholesale_photos_have_a_queue(kata, timeline, answers_of_routers):
    """`image.*` with customer="wholesale" goes to `wholesale`; the rest keeps its route."""
    new_task, send = f"image.{word()}", kata.app.send_task  # a program that knows only the name
    wholesale, other = {"customer": "wholesale"}, {"customer": word()}

    kata.render_image.apply_async((number(),), wholesale)
    kata.make_thumbnail.apply_async((number(),), wholesale)
    send(new_task, (), wholesale)
    send(new_task, (), {"paper": word(), **wholesale})
    photos = ["wholesale"] * 4

    kata.render_image.apply_async((number(),), other)
    kata.render_image.delay(number())
    send(new_task, (), {"customer": "wholesaler"})
    send(new_task, (), {"paper": "wholesale", **other})  # the word in another argument
    rest = ["image"] * 4

    kata.send_receipt.apply_async((number(),), wholesale)
    send("mail.image", (), wholesale)
    kata.daily_report.apply_async((), wholesale)
    for name in (f"imagery.{word()}", f"{word()}.image.{word()}"):
        send(name, (), wholesale)
    rest += ["mail", "mail", "default", "default", "default"]

    kata.render_image.apply_async((number(),), wholesale, queue="express")  # the call wins

    expected = [*photos, *rest, "express"]
    wrong = misrouted(timeline, expected, most=3)
    assert not wrong, f"{wrong}\n{answers_of_routers(went_wrong(timeline, expected)[0])}"
