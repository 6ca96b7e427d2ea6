"""Tests of kata 09. Each docstring is one requirement."""

import json
import random

import pytest
from celery import chain
from celery.canvas import Signature

pytestmark = pytest.mark.usefixtures("naps")

LINES = ["a partial", "arguments by name", "immutable", "options", "a link"]
EACH_LINE = pytest.mark.parametrize("kind", LINES)
EACH_TEXT = pytest.mark.parametrize("kind", [*LINES, "a chain"])
ALL_QUEUES = pytest.mark.worker(queues="celery,counter,express")
NEW = "\nMake a new signature in each call of `load`."
FUNCTIONS = ["poster", "discount", "express", "save", "load"]
EACH = [pytest.param(name, marks=pytest.mark.todo(n)) for n, name in enumerate(FUNCTIONS, 1)]
OPTIONS = {"countdown": 40, "expires": 7200, "priority": 4, "queue": "counter"}


def number():
    """A number that is easily found in a text."""
    return random.randint(1000, 9999)


@pytest.fixture
def write(kata):
    """`write("a link")` returns a signature of that kind, and what it may be sent with."""

    def linked(signature):
        signature.link(kata.show_discount.si(number()).set(priority=random.randint(1, 8)))
        return signature

    price, discount = kata.price, kata.show_discount
    kinds = {
        "a partial": lambda: (price.s(number(), "matt"), 2),
        "arguments by name": lambda: (price.s(number() + 0.5, paper="matt", copies=3), 1),
        "immutable": lambda: (discount.si(number()), 1),
        "options": lambda: (price.s(copies=number()).set(**OPTIONS, shadow=f"no {number()}"), 2),
        "a link": lambda: (linked(price.s()), 2),
        "a chain": lambda: (chain(price.s(number()), linked(discount.si(number()))), 1),
    }

    def write_line(kind):
        signature, count = kinds[kind]()
        return signature, [number() for _ in range(count)]

    return write_line


def outcome(why, send, *args):
    """What `send(*args)` returns. When that cannot run, `why` says what it was."""
    try:
        return send(*args)
    except (TypeError, LookupError) as error:  # its arguments are not those of the task
        failed = f"{type(error).__name__}: {error}"
    raise AssertionError(f"{why}\nThat failed: {failed}")


def answer(line, *args, **kwargs):
    return line.delay(*args, **kwargs).get()


def compared(seen, expected):
    """A text about the messages that were seen, and those that were expected."""
    line = "\n    "
    return f"Then it was sent. It was:{line}{line.join(seen)}\nExpected:{line}{line.join(expected)}"


def change(line):
    """What somebody may do who has a line of his own."""
    line.kwargs["note"] = "changed"
    line.set(time_limit=99, immutable=not line.get("immutable"))
    line.link(Signature("tasks.changed"))


def ids_of(lines, arguments):
    """The ids of the tasks that these lines make when they are sent."""
    sent_as = f"was sent as .delay({', '.join(map(str, arguments))})"
    return [outcome(f"{line!r} {sent_as}.", line.delay, *arguments).id for line in lines]


@pytest.mark.todo(1)
def test_a_poster_waits_for_its_size(lines, celery_worker, timeline, called):
    """`poster` writes copies and paper down. The size comes with the sending, and comes first."""
    few, many = random.sample(range(2, 100), 2)
    posters = [(few, lines.new("poster", copies=few))]
    posters += [(copies, lines.new("poster", copies)) for copies in (many, few)]

    for copies, line in posters:
        size = width, height = random.sample(range(20, 90), 2)
        expected = lines.call("tasks.price", (width, height, copies, "matt"))
        why = f"poster({copies}) is {lines.shown(line)}.\nSent as .delay({width}, {height}) it runs"
        seen, must = lines.would_run(line, *size), f"It must run {expected}."
        if line.immutable:
            must += f"\nIt is immutable, and ignores {width} and {height}. A partial is needed."
        if len(line.args) > 2:
            must += "\nThose are too many arguments. Write nothing for the size."
        must += lines.spoilt("poster", line)
        assert seen == expected, f"{why} {seen}.\n{must}"

        price = outcome(f"{why} {seen}.", answer, line, *size)

        ran = [called(e) for e in timeline.started()[-1:]]
        assert ran == [expected], f"{why} {', '.join(ran) or 'nothing'}.\n{must}"
        assert price == (50 + 3 * width * height) * copies, f"{expected} returned {price}."


@pytest.mark.todo(2)
def test_a_discount_takes_nothing_more(kata, lines, celery_worker, timeline, called):
    """What `discount` returns runs with its percentage alone, in a chain or by itself."""
    percents = random.randint(1, 99) + 0.5, 0
    all_lines = [(percent, lines.new("discount", percent=percent)) for percent in percents]
    size = width, height = random.sample(range(20, 90), 2)
    ways = [
        ("Sent with no argument", (), answer),
        (
            "After `price` in a chain",
            (50 + 2 * width * height,),
            lambda line: answer(chain(kata.price.s(*size), line)),
        ),
        (f"Sent with the arguments {size}", size, lambda line: answer(line, *size, copies=2)),
    ]

    for percent, line in all_lines:
        expected = lines.call("tasks.show_discount", (percent,))
        for way, more, send in ways:
            why = f"discount({percent}) is {lines.shown(line)}. {way} it runs"
            seen, must = lines.would_run(line, *more), f"It must run {expected}."
            if not line.immutable:
                must += "\nIt is a partial, and takes what comes before it. It must be immutable."
            must += lines.spoilt("discount", line)
            assert seen == expected, f"{why} {seen}.\n{must}"

            text = outcome(f"{why} {seen}.", send, line)

            ran = [called(e) for e in timeline.started()[-1:]]
            assert ran == [expected], f"{why} {', '.join(ran) or 'nothing'}.\n{must}"
            assert text == f"{percent} % off", f"{expected} returned {text!r}."


@pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param("poster", (40, 60), marks=pytest.mark.todo(1)),
        pytest.param("discount", (), marks=pytest.mark.todo(2)),
    ],
)
def test_each_call_makes_a_new_line(kata, lines, name, size):
    """Two lines are independent, and a line that is sent twice makes two tasks."""
    amount = random.randint(2, 99)
    first, second = lines.new(name, amount), lines.new(name, amount)
    before = lines.parts(second)

    change(first)

    for when, line in [("before that", second), ("after that", lines.new(name, amount))]:
        assert lines.parts(line) == before, (
            f"Somebody changed what {name}({amount}) returned.\nWhat it returned {when} changed, "
            f"too. It is {lines.shown(line)} now.\nMake a new signature in each call."
        )
    ids = ids_of([second, second, getattr(kata, name)(amount)], size)
    assert len({*ids}) == 3, (
        f"What {name}({amount}) returns was sent three times. The ids are {ids}. Each time must "
        "be a task with an id of its own: let Celery make the ids."
    )


@pytest.mark.todo(3)
@EACH_LINE
@ALL_QUEUES
def test_express_changes_queue_and_priority(
    kata, lines, celery_worker, skip_countdowns, write, sending, kind
):
    """What `express` returns goes to queue `express` with priority 9. All the rest is the same."""
    signature, arguments = write(kind)
    wanted = lines.parts(signature)
    wanted["options"].update(queue="express", priority=9)

    fast = lines.new("express", signature=signature)

    why = f"`express` was given {lines.shown(signature)}.\nIt returned {lines.shown(fast)}.\n"
    wrong = lines.changed(fast, wanted)
    assert not wrong, f"{why}{wrong}{lines.misplaced(fast)}"
    expected = sending(kata.app.signature(wanted), arguments)
    seen = sending(fast, arguments)
    assert seen == expected, f"{why}{compared(seen, expected)}"


@pytest.mark.todo(3)
@EACH_LINE
def test_express_leaves_the_original_alone(kata, lines, write, kind):
    """The original does not change, whatever becomes of the copy; nor the other way round."""
    original, arguments = write(kind)
    before = lines.parts(original)

    copies = [lines.new("express", original) for _ in range(2)]

    shared = lines.sharing(copies[0], original)
    wrong = lines.changed(original, before)
    shared_or = shared or "\nSet the options on the copy, and never touch the original."
    assert not wrong, (
        f"`express` has changed its argument: {lines.shown(original)}.\n{wrong}{shared_or}"
    )
    copied = lines.parts(copies[1])
    change(copies[0])
    wrong = lines.changed(original, before)
    assert not wrong, f"The copy was changed, and the original changed, too.\n{wrong}{shared}"
    wrong = lines.changed(copies[1], copied)
    assert not wrong, f"One copy was changed, and another copy changed, too.\n{wrong}"
    change(original)
    wrong = lines.changed(copies[1], copied)
    assert not wrong, f"The original was changed, and its copy changed, too.\n{wrong}{shared}"
    ids = ids_of([copies[1], copies[1], kata.express(write(kind)[0])], arguments)
    assert len({*ids}) == 3, f"Express lines were sent three times. The ids are {ids}."


@pytest.mark.todo(4)
@EACH_TEXT
def test_save_writes_json(lines, write, kind):
    """`save` returns a JSON text with all that the call needs, and changes nothing."""
    for _ in range(2):
        signature, _ = write(kind)
        before = lines.parts(signature)
        fault = lines.saved(signature)[1]
        assert not fault, fault
        wrong = lines.changed(signature, before)
        assert not wrong, f"`save` has changed its argument: {lines.shown(signature)}.\n{wrong}"


@pytest.mark.todo(5)
@EACH_TEXT
@ALL_QUEUES
def test_load_gives_the_same_call(lines, celery_worker, skip_countdowns, write, sending, kind):
    """What `load` returns has the same task, arguments and options, and is sent likewise."""
    signature, arguments = write(kind)
    text = lines.text(signature)
    as_the_database_gives_it = json.dumps(json.loads(text), indent=1)

    loaded = lines.new("load", text=as_the_database_gives_it)

    why = f"Saved was {lines.shown(signature)}.\nLoaded was {lines.shown(loaded)}.\n"
    wrong = lines.difference(loaded, lines.parts(signature))
    assert not wrong, f"{why}{wrong} The text was\n{text}"
    expected = sending(signature, arguments)
    seen = sending(loaded, arguments)
    assert seen == expected, f"{why}{compared(seen, expected)}"


@pytest.mark.todo(5)
def test_each_load_is_new(kata, lines, write):
    """Each call of `load` makes a new signature, and each sending of it is a new task."""
    (signature, arguments), (other, _) = write("a link"), write("a partial")
    before = lines.parts(signature)
    text, other_text = lines.text(signature), lines.text(other)
    first, second = lines.new("load", text), lines.new("load", text)

    change(first)

    each = [("saved", signature), ("loaded before", second), ("loaded after", kata.load(text))]
    for which, line in each:
        wrong = lines.difference(line, before)
        assert not wrong, f"A loaded line was changed. The one {which} changed, too.\n{wrong}{NEW}"
    wrong = lines.difference(kata.load(other_text), lines.parts(other))
    assert not wrong, f"Two lines were saved. The second one is not what `load` gives.\n{wrong}"
    ids = ids_of([signature, second, second, kata.load(text)], arguments)
    assert len({*ids}) == 4, f"One line was sent four times. The ids are {ids}: not four tasks."


@pytest.mark.parametrize("name", EACH)
def test_nothing_is_sent(kata, lines, timeline, naps, name):
    """The function sends nothing, runs nothing, and does not wait."""
    given = {"express": kata.price.s(40, 60), "save": kata.price.s(40, 60)}
    given["load"] = name == "load" and lines.text(kata.price.s(40, 60))
    before = len(timeline)
    naps.clear()

    getattr(kata, name)(given.get(name, 20))

    events = timeline.events()[before:]
    assert not events, (
        f"`{name}` is to return something, and nothing else. Celery saw this: {events[0].kind} "
        f"{events[0].call}. Only who uses a signature sends it."
    )
    assert not naps, f"`{name}` called `time.sleep`, for {naps[0]} seconds."
