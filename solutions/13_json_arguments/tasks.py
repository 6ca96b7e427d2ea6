"""13 · What survives the wire: the reference solution."""

import hashlib
import os
import pathlib
import tempfile
import uuid
from decimal import Decimal

from celery import Celery
from kombu.utils import json
from orders import Money, invoice_text, read

app = Celery("json_arguments")

PRICES = {  # of one print, by its width and height in cm
    (10, 15): Money(Decimal("0.19"), "EUR"),
    (13, 18): Money(Decimal("0.345"), "EUR"),
    (20, 30): Money(Decimal("1.95"), "EUR"),
}
FOLDER = pathlib.Path(os.environ.get("PHOTOS", tempfile.gettempdir()))
MAX_BYTES = 64 * 1024


# Given, complete. Leave it as it is.


class TooBig(ValueError):
    """These arguments are too much for a message."""


@app.task
def store(path, note):
    """Take the photo in a file into the archive; return its label."""
    photo = pathlib.Path(path).read_bytes()
    return {"bytes": len(photo), "sha256": hashlib.sha256(photo).hexdigest(), "note": note}


# Your part. All of it works with a worker, and in eager mode.


def register_money():
    """Register `Money` with Celery's JSON, so that it can be an argument or a result of a task.

    It arrives as `Money`, with the same digits and currency, also when it stands in a list or
    in a dict. In the message the digits and the currency are text: no float, no pickle. All
    that JSON carried before is carried as before, and all that it refused is refused.

    Call this function once, in the last line of this file. Whoever sends or runs a task
    imports this file, and both must know the type.
    """
    # kombu writes and reads the Decimal by itself: it has registered that type in the same way.
    json.register_type(
        Money,
        "money",
        lambda money: {"amount": money.amount, "currency": money.currency},
        lambda found: Money(found["amount"], found["currency"]),
    )


@app.task
def invoice(order_id):
    """The text of the invoice for an order, as the order is when the task runs.

    `read` and `invoice_text` are given. An order that is not there any more is a LookupError.
    """
    # Between the sending and this line there may be a second, or a night.
    return invoice_text(read(order_id))


def send_invoice(order):
    """Let a worker write the invoice of an `Order`, by the task `invoice`.

    Return the AsyncResult at once, without waiting. The message has the number of the order,
    and nothing else of it: no name, no amount.
    """
    return invoice.delay(order.id)


@app.task
def bill(lines):
    """The lines of a bill, in the order of the photos' numbers.

    `lines` is a dict, such as {10: ((20, 30), 1), 9: ((10, 15), 3)}: one print of photo 10 in
    20 by 30 cm, and three prints of photo 9 in 10 by 15. So it is written by whoever calls the
    task. The task may get it like this, or as JSON has made it. It leaves `lines` as it is.

    The result is the same in a direct call, in eager mode and from a worker:

        [
            {"photo": 9, "size": [10, 15], "price": Money(Decimal("0.57"), "EUR")},
            {"photo": 10, "size": [20, 30], "price": Money(Decimal("1.95"), "EUR")},
        ]
    """
    # First make of all that arrives what the caller has written: "10" comes before "9" as
    # a text, and a list cannot be a key of PRICES.
    prints = {int(photo): (tuple(size), copies) for photo, (size, copies) in lines.items()}
    # A tuple in the result would be a list for who gets it from a worker. So it is a list.
    return [
        {"photo": photo, "size": list(size), "price": PRICES[size] * copies}
        for photo, (size, copies) in sorted(prints.items())
    ]


def archive(photo, note):
    """Let a worker archive a photo, by the task `store`. The photo does not go into a message.

    `photo` is bytes, often many megabytes. `note` is a text that the customer has written.
    Write the photo into a new file in FOLDER, which is there, and send its path and the note.
    Return the AsyncResult at once, without waiting. Each call has a file of its own, also when
    the photo is an old one: no call changes or deletes the file of another one.

    Customers can write long notes. When the arguments of `store`, `[args, kwargs]` as JSON,
    have more than MAX_BYTES bytes, raise TooBig. Then nothing is sent, and no file is left.
    """
    path = FOLDER / f"{uuid.uuid4().hex}.jpg"
    args = [str(path), note]
    # len(note) is not enough: in JSON an "é" has six bytes, and a quotation mark has two.
    if len(json.dumps([args, {}])) > MAX_BYTES:
        raise TooBig(f"a note of {len(note)} characters")
    # The file comes first: a worker may take the message before delay() has returned.
    path.write_bytes(photo)
    return store.delay(*args)


register_money()
