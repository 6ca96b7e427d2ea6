"""Tests of kata 13. Each docstring is one requirement."""

import contextlib
import copy
import hashlib
import json
import pathlib
import random
import runpy

import pytest
from celery.result import EagerResult
from kombu.utils import json as celerys_json

pytestmark = pytest.mark.usefixtures("naps")

#: Where amounts of money stand in the argument of a task.
PLACES = {
    "alone": lambda amounts: amounts[-1],
    "in a list": lambda amounts: amounts,
    "in a dict": lambda amounts: {"order": 7, "price": amounts[0], "more": {"of": amounts}},
}
HELP = {  # a word of an error, and what to do
    "unhashable": "JSON makes a list of a tuple, and no list can be a key. `tuple(size)` can.",
    "Order is not JSON serializable": "An Order cannot travel. Send its number.",
    "Path is not JSON serializable": "A path cannot travel. Send `str(path)`.",
    "TooBig": "The photo is not in the message. Count only what is sent: the path and the note.",
    "No such file": (CLOSED := "Write the file, and close it, before its whole path is sent."),
}
WAYS = {  # of calling `bill`
    "called directly": lambda bill, lines: bill(lines),
    "called directly with JSON": lambda bill, lines: bill(json.loads(json.dumps(lines))),
    "by `apply`": lambda bill, lines: bill.apply((lines,)).get(),
    "in eager mode": lambda bill, lines: bill.delay(lines).get(),
    "in a worker": lambda bill, lines: result_of(f"bill({lines})", bill.delay(lines=lines)),
}
TODO_OF = {"invoice": 2, "send_invoice": 3, "archive": 5}
EAGER = [pytest.param(name, marks=pytest.mark.todo(n)) for name, n in TODO_OF.items()]


def shown(value, most=200):
    text = value if isinstance(value, str) else repr(value)
    size = f"{len(value)} bytes" if isinstance(value, bytes) else f"{len(text)} characters"
    return text if len(text) <= most else f"{text[:most]}… ({size})"


@contextlib.contextmanager
def explained(why=""):
    """An error tells what to do, if that is known. The learner's line is shown all the same."""
    try:
        yield
    except AssertionError:  # such as: it can never come
        raise
    except Exception as error:
        failed = f"{type(error).__name__}: {error}"
        what_to_do = "".join(f"\n{text}" for word, text in HELP.items() if word in failed)
        if not why and not what_to_do:
            raise
        text = f"{why}{shown(failed)}{what_to_do}"
        raise AssertionError(text).with_traceback(error.__traceback__) from None


def result_of(why, result):
    """The value of a result. `why` speaks of the call, if there is none."""
    with explained(f"{why} failed: "):
        return result.get()


def invoice_for(order):
    return f"Invoice {order.id}: {order.customer} pays {order.total.amount} {order.total.currency}"


def arguments(event, *names):
    """The arguments of a message by their names."""
    return {**dict(zip([*names, *range(9)], event.args, strict=False)), **event.kwargs}


def path_in(event):
    return str(arguments(event, "path").get("path"))


def label(photo, note):
    return {"bytes": len(photo), "sha256": hashlib.sha256(photo).hexdigest(), "note": note}


@pytest.mark.todo(1)
@pytest.mark.parametrize("place", PLACES)
def test_money_is_text_in_the_message(kata, echo, in_queue, amounts, check_money, place):
    """In the message an amount of money is JSON. Its digits and its currency are text."""
    check_money()
    value = PLACES[place](amounts)
    echo.delay(value)
    (body,) = in_queue()
    why = f"It is {body.type}, not application/json. Leave the serializers as they are."
    assert body.type == "application/json", why
    why = f"`Money` {place}: the message has\n    {shown(body.text, 300)}\n"
    assert not body.floats, f"{why}There is a float in it: {body.floats}. Floats are rounded."
    for one in [value] if place == "alone" else amounts:
        error = body.error_of(one)
        assert not error, f"{why}{error}"


@pytest.mark.todo(1)
@pytest.mark.parametrize("where", ["in a worker", "in eager mode"])
def test_money_arrives_as_it_was(kata, echo, start_worker, amounts, check_money, exact, where):
    """A task is handed the same `Money`, and so is whoever reads its result."""
    check_money()
    start_worker()
    kata.app.conf.task_always_eager = where == "in eager mode"
    for place in PLACES.values():
        value = place(amounts)

        result = result_of(f"A task with {shown(value)} {where}", echo.delay(value))

        seen = echo.seen.pop()
        why = f"Sent was\n    {value!r}.\n"
        same = exact(seen) == exact(value) and seen == value
        assert same, f"{why}The task, {where}, was handed\n    {seen!r}."
        assert exact(result) == exact(value), f"{why}It came back as the result\n    {result!r}."


@pytest.mark.todo(1)
def test_all_else_is_as_before(echo, check_money, check_others, timeline, in_queue, new_order):
    """What Celery's JSON carried before, it carries now. What it refused, it refuses."""
    check_money()
    for argument in (new_order(7), {7}, object(), [new_order(7)]):
        with contextlib.suppress(Exception):
            echo.delay(argument)
        for event in timeline.sent():
            pytest.fail(
                f"{event.call} was sent. Before, that was an error for the caller. Now it is\n    "
                f"{shown(in_queue()[0].text)}\nin the message. Register `Money`, and nothing else."
            )
    check_others()


@pytest.mark.todo(2)
def test_the_invoice_is_of_now(kata, table, new_order, timeline, start_worker, settle, naps):
    """`invoice` gives the text for the order as it is when the task runs, each time."""

    def check(numbers, results):
        for number, result in zip(numbers, results, strict=True):
            text, expected = result_of(f"invoice({number})", result), invoice_for(table[number])
            assert text == expected, (
                f"invoice({number}) gave\n    {text!r}.\nExpected is\n    {expected!r}.\nThe row "
                f"was {sent[number]!r} before. It must be read when the task runs, each time."
            )

    table.update(sent := {number: new_order(number) for number in (7, 8)})
    results = [kata.invoice.delay(7), kata.invoice.delay(order_id=8), kata.invoice.delay(7)]
    table.update({number: new_order(number) for number in (7, 8)})
    start_worker()
    check((7, 8, 7), results)
    sent = dict(table)
    table.update({number: new_order(number) for number in (7, 8)})
    check((8, 7, 8), [kata.invoice.delay(number) for number in (8, 7, 8)])
    assert not naps, f"`invoice` called `time.sleep`, for {naps} seconds."
    del table[7]
    result = kata.invoice.delay(7)
    settle()
    again = "Order 7 is gone. `invoice` must fail at once, and not be tried again."
    assert not timeline.retried(), again
    with contextlib.suppress(LookupError):
        text = result.get()
        pytest.fail(f"Order 7 is not there any more, and `invoice` gave {text!r}. It must fail.")


@pytest.mark.todo(3)
def test_only_the_number_travels(kata, table, new_order, check_sent, in_queue, start_worker, exact):
    """`send_invoice` sends `invoice` with the number of the order, and nothing else of it."""
    orders = [new_order(order_id) for order_id in (*random.sample(range(1, 9999), 2), 7, 7)]
    for order in orders:
        table[order.id] = new_order(order.id)
    table.reads.clear()
    with explained():
        results = [kata.send_invoice(order=orders[0]), *map(kata.send_invoice, orders[1:])]

    sent = check_sent("send_invoice", results)
    for order, event, body in zip(orders, sent, in_queue(), strict=True):
        why = f"send_invoice({order!r}) sent\n    {event.call}, as {shown(body.text)}\n"
        assert event.task == kata.invoice.name, f"{why}It must send `{kata.invoice.name}`."
        found = arguments(event, "order_id")
        text = f"{why}The number is a text, {str(order.id)!r}. Send it as it is."
        assert found != {"order_id": str(order.id)}, text
        assert exact(found) == exact({"order_id": order.id}), (
            f"{why}The arguments must be the number {order.id}, and nothing else: what is in the "
            "order now may be old when the task runs."
        )
        assert order.customer not in body.around, f"{why}The name is in its headers: {body.around}"
    assert not table.reads, "`send_invoice` has read the table. Only the task needs the row."
    start_worker()
    for order, result in zip(orders, results, strict=True):
        text, expected = result_of("TODO 2: `invoice`", result), invoice_for(table[order.id])
        why = "Read the row when the task runs, and keep no order in the module."
        assert text == expected, f"TODO 2: `invoice` gave {text!r}, not {expected!r}. {why}"


@pytest.mark.todo(4)
@pytest.mark.parametrize("where", WAYS)
def test_bill_is_the_same_everywhere(kata, start_worker, money, check_money, check_bill, where):
    """`bill` copes with what JSON makes of `lines`, and its result is the same everywhere."""
    ids = random.sample(range(100, 9999), 3)
    lines = {10: ((20, 30), 2), ids[0]: ((13, 18), 3), 9: ((10, 15), 1), ids[1]: ((20, 30), 7)}
    one, price = {ids[2]: ((13, 18), 4)}, {10: "0.19", 13: "0.345", 20: "1.95"}
    kata.bill({})  # is it done at all?
    if where in ("in eager mode", "in a worker"):
        check_money()
        start_worker()
    kata.app.conf.task_always_eager = where == "in eager mode"
    earlier = []
    for order in (one, lines, {}, lines):
        before, expected = copy.deepcopy(order), []
        for photo, (size, copies) in sorted(order.items()):
            cost = money(price[size[0]]) * copies
            expected.append({"photo": photo, "size": list(size), "price": cost})

        with explained():
            found = WAYS[where](kata.bill, order)
        check_bill(f"bill({before}), {where},", found, expected)
        assert order == before, f"`bill` has changed its argument to {order!r}."
        for line in earlier:  # what one caller does with a result is not seen by a later one
            line["size"].clear()
        earlier = found


@pytest.mark.todo(5)
@pytest.mark.filterwarnings("ignore:Task name")  # of the second copy of the file
def test_archive_sends_a_path(kata, folder, check_sent, error_of_file, timeline, start_worker):
    """`archive` writes the photo into a file of its own, and sends its path and the note."""
    many = random.randbytes(300_000)
    calls = [(b"\r\n\x1a" + many, "matt"), (b"", ""), (many[:9], 'to "Zoë" 😀'), (many[:9], "")]
    calls += [(many[9:18], " a\n"), (many, "matt"), (many, "x" * 60_000)]

    with explained():
        results = [kata.archive(photo=calls[0][0], note=calls[0][1])]
        results += [kata.archive(*call) for call in calls[1:]]

    sent = check_sent("archive", results)
    another_process = runpy.run_path(kata.__file__, run_name="another")
    another_process["app"].conf.task_always_eager = True
    another_process["archive"](b"another", "matt")
    all_paths = [path_in(event) for event in (*sent, *timeline.started())]
    for (photo, note), event in zip(calls, sent, strict=True):
        why = f"archive({shown(photo, 30)}, {shown(repr(note), 30)}) sent {shown(event.call)}.\n"
        assert event.task == "tasks.store", f"{why}It must send `tasks.store`."
        found = arguments(event, "path", "note")
        assert found.keys() == {"path", "note"}, f"{why}It must send the path and the note."
        assert found["note"] == note, f"{why}The note must be {shown(repr(note))}."
        error = error_of_file(str(found["path"]), photo, all_paths)
        assert not error, f"{why}{error}"
    why = "Two calls share a file. Who deletes it takes it from both: give each call a new name."
    assert len({*all_paths}) == len(calls) + 1, why
    more = {str(path) for path in folder.rglob("*") if path.is_file()} - {*all_paths}
    assert not more, f"`archive` has left other files, too: {more}"
    start_worker()
    for (photo, note), result in zip(calls, results, strict=True):
        found = result_of("`store`", result)
        assert found == label(photo, note), f"The worker's label is {shown(found)}."


@pytest.mark.todo(5)
def test_archive_refuses_what_is_too_big(kata, folder, check_sent, timeline):
    """When the arguments have more than 64 KiB as JSON: TooBig, no message and no file."""
    (event,) = check_sent("archive", [kata.archive(b"photo", "x")])
    others = len(celerys_json.dumps([event.args, event.kwargs])) - len('"x"')
    most = 64 * 1024 - others - len('""')
    notes = {"x" * most: True, "x" * (most + 1): False, "é" * 12_000: False, "é" * 10_000: True}
    notes |= {'"' * 40_000: False, "x" * 90_000: False}
    for note, fits in notes.items():
        sent, files = len(timeline.sent()), {*folder.rglob("*")}
        size = len(celerys_json.dumps(note)) + others
        why = f"With {len(note)} times {note[:1]!r} as the note the arguments have {size} bytes "
        why += f"as JSON, {others} of them for the path and what is around it. "
        try:
            kata.archive(b"photo", note)
        except kata.TooBig:
            assert not fits, f"{why}That is not too much, and yet TooBig was raised."
            assert len(timeline.sent()) == sent, f"{why}TooBig was raised, but it was sent."
            more = {*folder.rglob("*")} - files
            assert not more, f"{why}TooBig was raised, but a file was left: {more}"
        else:
            assert fits, f"{why}That is too much: TooBig must be raised."
            assert len(timeline.sent()) == sent + 1, f"{why}It was not sent."
    gone = [path for path in map(path_in, timeline.sent()) if not pathlib.Path(path).is_file()]
    assert not gone, f"Some calls were refused, and files of others are gone: {gone}"


@pytest.mark.parametrize("name", EAGER)
def test_eager_mode_gives_the_same(kata, eager, table, new_order, name):
    """In eager mode the task runs at once, and has all that it needs."""
    order, table[7], photo = new_order(7), new_order(7), b"\r\n" + random.randbytes(99)
    calls = {"invoice": lambda: kata.invoice.delay(7), "archive": lambda: kata.archive(photo, "é")}
    result = calls.get(name, lambda: kata.send_invoice(order))()
    why = f"`{name}` must run its task here: `delay` does so in eager mode, `send_task` does not."
    assert isinstance(result, EagerResult), why
    found = result_of(f"`{name}`, in eager mode,", result)
    expected = label(photo, "é") if name == "archive" else invoice_for(table[7])
    why = f"`{name}`, in eager mode, gave {found!r}, not {expected!r}."
    assert found == expected, f"{why}\n{CLOSED}" if name == "archive" else why
