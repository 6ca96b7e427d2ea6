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
FUNCTIONS = ["poster", "discount", "express", "save", "load"]
EACH = [pytest.param(name, marks=pytest.mark.todo(n)) for n, name in enumerate(FUNCTIONS, 1)]


def parts(signature):
    """All that a signature is made of, as JSON has it."""
    found = json.loads(json.dumps(signature, default=repr))
    return {**found, "immutable": bool(found.get("immutable"))}


def shown(thing):
    """A signature with its options; anything else as Python shows it."""
    if not isinstance(thing, Signature):
        return repr(thing)
    try:
        text = repr(thing)
    except Exception:  # so ends the repr of a chain of something else
        text = f"a {thing.get('task')} of {thing.get('kwargs')}"
    marks = " (immutable)" if thing.get("immutable") else ""
    options = thing.get("options")
    return f"{text}{marks}" + (f" with the options {dict(options)}" if options else "")


def line_from(kata, name, *args, **kwargs):
    """The signature that a function returns."""
    line = getattr(kata, name)(*args, **kwargs)
    why = f"`{name}` must return a signature. It returned {shown(line)}."
    assert isinstance(line, Signature), why
    return line


def outcome(why, send, *args):
    """What `send(*args)` returns. When that cannot run, `why` says what it was."""
    try:
        return send(*args)
    except (TypeError, LookupError) as error:  # its arguments are not those of the task
        failed = f"{type(error).__name__}: {error}"
    raise AssertionError(f"{why}\nThat failed: {failed}")


def answer(line, *args, **kwargs):
    return line.delay(*args, **kwargs).get()


def ids_of(lines, arguments):
    """The ids of the tasks that these lines make when they are sent."""
    sent_as = f"sent as .delay({', '.join(map(str, arguments))})"
    return [outcome(f"{shown(e)} was {sent_as}.", e.delay, *arguments).id for e in lines]


def difference(signature, wanted):
    """A text about the first part of a signature that is not as wanted; "" if there is none."""
    seen = parts(signature)
    if wanted["task"] == "celery.chain" and type(signature) is Signature:
        return "It must be a chain. It is a call of a task 'celery.chain', which nobody can run."
    for part in ("task", "args", "kwargs", "immutable", "options"):
        if seen.get(part) != wanted[part]:
            return f"Its {part!r} must be {wanted[part]!r}, not {seen.get(part)!r}."
    return ""


def compared(seen, expected):
    """A text about the messages that were seen, and those that were expected."""
    line = "\n    "
    return f"Then it was sent. It was:{line}{line.join(seen)}\nExpected:{line}{line.join(expected)}"


def change(line):
    """What somebody may do who has a line of his own."""
    line.kwargs["note"] = "changed"
    line.set(time_limit=99, immutable=not line.get("immutable"))
    line.link(Signature("tasks.changed"))


def saved(kata, signature):
    """What `save` returns, and what is wrong with it, or ""."""
    text = kata.save(signature)
    if not isinstance(text, str):
        return text, f"`save` must return a text (str). It returned {shown(text)}."
    try:
        json.loads(text)
    except ValueError as error:
        return text, f"`save` must return JSON. It returned {text!r}: {error}"
    if type(signature) is Signature:
        twin = signature.clone().set(immutable=not signature.immutable)
        if kata.save(twin) == text:
            return text, f"`save` does not say whether a signature is immutable:\n{text}"
    missing = [value for value in values(parts(signature)) if str(value) not in text]
    lost = f"{', '.join(map(repr, missing))} of {shown(signature)} is not in what `save` returned"
    return text, f"{lost}:\n{text}" if missing else ""


def values(thing):
    """What the text of a signature must hold: its numbers and its words."""
    inside = thing.values() if isinstance(thing, dict) else thing
    if isinstance(thing, (dict, list)):
        return [value for each in inside for value in values(each)]
    about_kinds = (None, True, False, "chain", "celery.chain")  # may be said otherwise
    return [] if thing in about_kinds else [thing]


@pytest.mark.todo(1)
def test_a_poster_waits_for_its_size(kata, celery_worker, timeline, called):
    """`poster` writes copies and paper down. The size comes with the sending, and comes first."""
    few, many = random.sample(range(2, 100), 2)
    posters = [(few, line_from(kata, "poster", copies=few))]
    posters += [(copies, line_from(kata, "poster", copies)) for copies in (many, few)]

    for copies, line in posters:
        width, height = random.sample(range(20, 90), 2)
        why = f"poster({copies}) is {shown(line)}.\nIt was sent as .delay({width}, {height})."
        price = outcome(why, answer, line, width, height)

        wanted = {"width_cm": width, "height_cm": height, "copies": copies, "paper": "matt"}
        expected = f"price({', '.join(f'{name}={value!r}' for name, value in wanted.items())})"
        seen = [called(e) for e in timeline.started()[-1:]]
        ran = ", ".join(seen) or "nothing"
        assert seen == [expected], f"{why}\nThat ran {ran}.\nIt must run {expected}."
        assert price == (50 + 3 * width * height) * copies, f"{ran} returned {price}."


@pytest.mark.todo(2)
def test_a_discount_takes_nothing_more(kata, celery_worker, timeline, called):
    """What `discount` returns runs with its percentage alone, in a chain or by itself."""
    lines = [(p, line_from(kata, "discount", percent=p)) for p in (random.randint(1, 99) + 0.5, 0)]
    size = random.sample(range(20, 90), 2)
    ways = {
        "was sent with no argument": answer,
        "came after `price` in a chain": lambda line: answer(chain(kata.price.s(*size), line)),
        f"was sent with the arguments {size}": lambda line: answer(line, *size, copies=2),
    }

    for percent, line in lines:
        for way, send in ways.items():
            expected = f"show_discount(percent={percent})"
            why = f"discount({percent}) is {shown(line)}. It {way}.\nIt must run {expected}."
            text = outcome(why, send, line)

            seen = [called(e) for e in timeline.started()[-1:]]
            assert seen == [expected], f"{why}\nIt ran {', '.join(seen) or 'nothing'}."
            assert text == f"{percent} % off", f"{why}\nThe result was {text!r}."


@pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param("poster", (40, 60), marks=pytest.mark.todo(1)),
        pytest.param("discount", (), marks=pytest.mark.todo(2)),
    ],
)
def test_each_call_makes_a_new_line(kata, name, size):
    """Two lines are independent, and a line that is sent twice makes two tasks."""
    amount = random.randint(2, 99)
    first, second = line_from(kata, name, amount), line_from(kata, name, amount)
    before = parts(second)

    change(first)

    for when, line in [("before that", second), ("after that", line_from(kata, name, amount))]:
        assert parts(line) == before, (
            f"Somebody changed what {name}({amount}) returned.\nWhat it returned {when} changed, "
            f"too. It is {shown(line)} now.\nMake a new signature in each call."
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
    kata, celery_worker, skip_countdowns, write, sending, kind
):
    """What `express` returns goes to queue `express` with priority 9. All the rest is the same."""
    signature, arguments = write(kind)
    wanted = parts(signature)
    wanted["options"].update(queue="express", priority=9)

    fast = line_from(kata, "express", signature=signature)

    why = f"`express` was given {shown(signature)}.\nIt returned {shown(fast)}.\n"
    assert not difference(fast, wanted), f"{why}{difference(fast, wanted)}"
    expected = sending(kata.app.signature(wanted), arguments)
    seen = sending(fast, arguments)
    assert seen == expected, f"{why}{compared(seen, expected)}"


@pytest.mark.todo(3)
@EACH_LINE
def test_express_leaves_the_original_alone(kata, write, kind):
    """The original does not change, whatever becomes of the copy; nor the other way round."""
    original, arguments = write(kind)
    before = parts(original)

    copies = [line_from(kata, "express", original) for _ in range(2)]

    changed = difference(original, before)
    assert not changed, f"`express` has changed its argument: {shown(original)}.\n{changed}"
    copied = parts(copies[1])
    change(copies[0])
    shared = difference(original, before)
    assert not shared, f"The copy was changed, and the original changed, too.\n{shared}"
    shared = difference(copies[1], copied)
    assert not shared, f"One copy was changed, and another copy changed, too.\n{shared}"
    change(original)
    shared = difference(copies[1], copied)
    assert not shared, f"The original was changed, and its copy changed, too.\n{shared}"
    ids = ids_of([copies[1], copies[1], kata.express(write(kind)[0])], arguments)
    assert len({*ids}) == 3, f"Express lines were sent three times. The ids are {ids}."


@pytest.mark.todo(4)
@EACH_TEXT
def test_save_writes_json(kata, write, kind):
    """`save` returns a JSON text with all that the call needs, and changes nothing."""
    for _ in range(2):
        signature, _ = write(kind)
        before = parts(signature)
        fault = saved(kata, signature)[1]
        assert not fault, fault
        changed = difference(signature, before)
        assert not changed, f"`save` has changed its argument: {shown(signature)}.\n{changed}"


@pytest.mark.todo(5)
@EACH_TEXT
@ALL_QUEUES
def test_load_gives_the_same_call(kata, celery_worker, skip_countdowns, write, sending, kind):
    """What `load` returns has the same task, arguments and options, and is sent likewise."""
    signature, arguments = write(kind)
    text, fault = saved(kata, signature)
    assert not fault, f"TODO 4: {fault}"
    as_the_database_gives_it = json.dumps(json.loads(text), indent=1)

    loaded = line_from(kata, "load", text=as_the_database_gives_it)

    why = f"Saved was {shown(signature)}.\nLoaded was {shown(loaded)}.\n"
    wrong = difference(loaded, parts(signature))
    assert not wrong, f"{why}{wrong} The text was\n{text}"
    expected = sending(signature, arguments)
    seen = sending(loaded, arguments)
    assert seen == expected, f"{why}{compared(seen, expected)}"


@pytest.mark.todo(5)
def test_each_load_is_new(kata, write):
    """Each call of `load` makes a new signature, and each sending of it is a new task."""
    (signature, arguments), (other, _) = write("a link"), write("a partial")
    before = parts(signature)
    (text, fault), (other_text, _) = saved(kata, signature), saved(kata, other)
    assert not fault, f"TODO 4: {fault}"
    first, second = line_from(kata, "load", text), line_from(kata, "load", text)

    change(first)

    lines = [("saved", signature), ("loaded before", second), ("loaded after", kata.load(text))]
    for which, line in lines:
        wrong = difference(line, before)
        assert not wrong, f"A loaded line was changed. The one {which} changed, too.\n{wrong}"
    wrong = difference(kata.load(other_text), parts(other))
    assert not wrong, f"Two lines were saved. The second one is not what `load` gives.\n{wrong}"
    ids = ids_of([signature, second, second, kata.load(text)], arguments)
    assert len({*ids}) == 4, f"One line was sent four times. The ids are {ids}: not four tasks."


@pytest.mark.parametrize("name", EACH)
def test_nothing_is_sent(kata, timeline, naps, name):
    """The function sends nothing, runs nothing, and does not wait."""
    given = {"express": kata.price.s(40, 60), "save": kata.price.s(40, 60)}
    given["load"] = name == "load" and kata.save(kata.price.s(40, 60))
    before = len(timeline)
    naps.clear()

    getattr(kata, name)(given.get(name, 20))

    events = timeline.events()[before:]
    assert not events, (
        f"`{name}` is to return something, and nothing else. Celery saw this: {events[0].kind} "
        f"{events[0].call}. Only who uses a signature sends it."
    )
    assert not naps, f"`{name}` called `time.sleep`, for {naps} seconds."
