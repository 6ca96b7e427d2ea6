"""01 · Price an order in the background: the reference solution."""

from celery import Celery

app = Celery("first_task")

BASE_CENTS = 50
CENTS_PER_CM2 = 2


@app.task
def price(width_cm, height_cm, copies=1):
    """The price of an order in cents: 50 plus 2 per square centimetre, for each copy."""
    # The decorator registers the function under the name "tasks.price": module and
    # function. A worker finds it by that name. A direct call still works as before.
    return (BASE_CENTS + CENTS_PER_CM2 * width_cm * height_cm) * copies


def quote(width_cm, height_cm, copies=1):
    """Hand `price` to a worker. Return an AsyncResult at once, without waiting."""
    # delay() only writes a message. The AsyncResult knows the id of the task: with
    # it the caller can ask for the answer later, or never.
    return price.delay(width_cm, height_cm, copies=copies)


def quote_all(sizes):
    """The prices of one copy in each size, in the order of `sizes`.

    `sizes` is a list of pairs (width_cm, height_cm). Send all of them to the workers
    before you read the first answer. If a worker cannot compute a price, raise its error.
    """
    # Two loops, not one: if each get() came right after its own delay(), the workers
    # would never have more than one order to work on.
    results = [quote(width, height) for width, height in sizes]
    return [result.get() for result in results]
