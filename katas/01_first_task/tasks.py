"""01 · Price an order in the background. See README.md in this folder."""

from celery import Celery

app = Celery("first_task")

BASE_CENTS = 50
CENTS_PER_CM2 = 2


def price(width_cm, height_cm, copies=1):
    """The price of an order in cents: 50 plus 2 per square centimetre, for each copy."""
    raise NotImplementedError("TODO 1: make `price` a task of `app`, and compute the price")


def quote(width_cm, height_cm, copies=1):
    """Hand `price` to a worker. Return an AsyncResult at once, without waiting."""
    raise NotImplementedError("TODO 2: send `price` to a worker")


def quote_all(sizes):
    """The prices of one copy in each size, in the order of `sizes`.

    `sizes` is a list of pairs (width_cm, height_cm). Send all of them to the workers
    before you read the first answer. If a worker cannot compute a price, raise its error.
    """
    raise NotImplementedError("TODO 3: send every size, then collect the answers")
