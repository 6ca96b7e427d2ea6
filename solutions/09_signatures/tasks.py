"""09 · A price list of ready-made calls: the reference solution."""

import json

from celery import Celery

app = Celery("signatures")

CENTS_PER_CM2 = {"glossy": 2, "matt": 3}
POSTER_PAPER = "matt"
EXPRESS_QUEUE = "express"
EXPRESS_PRIORITY = 9


# Given: two tasks, complete. Leave them as they are.


@app.task
def price(width_cm, height_cm, copies=1, paper="glossy"):
    """The price of an order in cents."""
    return (50 + CENTS_PER_CM2[paper] * width_cm * height_cm) * copies


@app.task
def show_discount(percent):
    """Put a discount into the shop window; return what it says there."""
    return f"{percent} % off"


# Your part. No function sends anything: who gets a signature from it will send it.


def poster(copies):
    """A signature of `price` for `copies` posters on POSTER_PAPER. The size is still missing.

    `poster(3).delay(50, 70)` will run `price(50, 70, 3, "matt")`. Each call makes a new
    signature: who changes one does not change another.
    """
    # Arguments that are given later come first: the size goes before what is written here.
    return price.s(copies, POSTER_PAPER)


def discount(percent):
    """A signature of `show_discount` that is complete: nothing is added to it later.

    It runs `show_discount(percent)`, whatever the task before it in a chain returned, and
    whatever `delay` is called with. Each call makes a new signature.
    """
    return show_discount.si(percent)


def express(signature):
    """A copy of a signature, with queue EXPRESS_QUEUE and priority EXPRESS_PRIORITY.

    The copy has all the rest of the original: task, arguments, other options, and whether it
    is immutable. Afterwards the two are independent: who adds a keyword argument, an option
    or a link to one of them does not change the other. `signature` is a call of one task.
    """
    # set() changes the signature that it is called on, so it must be called on a copy.
    copy = signature.clone()
    # clone() copies the options, and the list of links among them. But up to Celery 5.6 the
    # copy has the very dict of keyword arguments that the original has.
    copy["kwargs"] = dict(copy.kwargs)
    return copy.set(queue=EXPRESS_QUEUE, priority=EXPRESS_PRIORITY)


def save(signature):
    """The signature as a JSON text, for a column of the database.

    The text has all that the call needs, so another program can read it next week. The
    signature stays as it is. It may be a chain, too. What it holds are strings, numbers and
    other things that JSON knows.
    """
    # A signature is a dict. A chain has those of its tasks among its arguments.
    return json.dumps(signature)


def load(text):
    """The signature that `save` made this text from: the same task, arguments and options.

    It is immutable, or a partial, or a chain, if the saved one was. Each call makes a new
    signature.
    """
    # app.signature() takes such a dict as it is. It knows from `subtask_type` what was a
    # chain, and the signature sends its messages by this app, whichever is the current one.
    return app.signature(json.loads(text))
