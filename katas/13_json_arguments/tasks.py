"""13 · What survives the wire. See README.md in this folder."""

import hashlib
import os
import pathlib
import tempfile
from decimal import Decimal

from celery import Celery
from orders import Money, invoice_text, read  # noqa: F401 - for your part

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
    raise NotImplementedError("TODO 1: register the type, and call this function below")


@app.task
def invoice(order_id):
    """The text of the invoice for an order, as the order is when the task runs.

    `read` and `invoice_text` are given. An order that is not there any more is a LookupError.
    """
    raise NotImplementedError("TODO 2: read the order, and write the invoice")


def send_invoice(order):
    """Let a worker write the invoice of an `Order`, by the task `invoice`.

    Return the AsyncResult at once, without waiting. The message has the number of the order,
    and nothing else of it: no name, no amount.
    """
    raise NotImplementedError("TODO 3: send the number of the order")


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
    raise NotImplementedError("TODO 4: undo what JSON has done to the lines")


def archive(photo, note):
    """Let a worker archive a photo, by the task `store`. The photo does not go into a message.

    `photo` is bytes, often many megabytes. `note` is a text that the customer has written.
    Write the photo into a new file in FOLDER, which is there, and send its path and the note.
    Return the AsyncResult at once, without waiting. Each call has a file of its own, also when
    the photo is an old one: no call changes or deletes the file of another one.

    Customers can write long notes. When the arguments of `store`, `[args, kwargs]` as JSON,
    have more than MAX_BYTES bytes, raise TooBig. Then nothing is sent, and no file is left.
    """
    raise NotImplementedError("TODO 5: a file, and a message with its path")


# The last line: here `register_money` is called, when it is done.
