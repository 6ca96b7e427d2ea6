"""10 · Tell someone: the reference solution."""

import uuid

import incidents
from celery import Celery, group
from celery.utils.log import get_task_logger

app = Celery("error_callbacks")
logger = get_task_logger(__name__)


# Given: two tasks, complete. Leave them as they are.


@app.task
def print_photos(order_id):
    """Print the photos of an order; return the bar code of the parcel."""
    if order_id < 1:
        raise ValueError(f"there is no order {order_id}")
    return f"parcel-{order_id}-{uuid.uuid4().hex[:6]}"


@app.task
def ship(parcel):
    """Take a parcel to the post; return what was said."""
    return f"{parcel} is on its way"


# Your part.


# Celery looks at the arguments. With these three it calls the function in the worker that ran
# the failed task. A task with fewer of them, or with `bind=True`, is sent as a message, and is
# handed the id of the failed task only.
@app.task
def report_failure(request, exc, traceback):
    """Report a failed task. Celery is to call it, as an error callback.

    `request` is the request of the failed task, `exc` is its error, and `traceback` a text.
    Add one incident by `incidents.report`: the name and the id of the failed task, `repr(exc)`
    and the traceback. When that raises an error, whichever, log an error with the id of the
    failed task by `logger`, and raise nothing.
    """
    try:
        incidents.report(request.task, request.id, repr(exc), traceback)
    except Exception:
        # Who raises here is in the way of the callbacks after it, and of what watches the
        # worker. Some versions of Celery catch the error, and some do not.
        logger.exception("cannot report the failure of task %s: %r", request.id, exc)


def with_callbacks(order_id):
    """The call of `print_photos` for one order with its callbacks, not yet sent."""
    # The callbacks travel in the message of the task, as signatures. They say what is missing
    # only: the worker puts in front what it has, the result or the three arguments.
    return print_photos.s(order_id).set(link=ship.s(), link_error=report_failure.s())


def print_order(order_id):
    """Print one order, by a worker. Then ship the parcel, or report the failure.

    Send `print_photos`. When it has succeeded, `ship` runs as a task, and takes the bar code
    that `print_photos` returned. When it has failed, `report_failure` is called. Return the
    AsyncResult of `print_photos` at once, without waiting.
    """
    return with_callbacks(order_id).delay()


def print_batch(order_ids):
    """Print many orders side by side. Ship each parcel, and report each failure.

    Send them as one group, and return its GroupResult at once, without waiting. The results
    are those of `print_photos`, in the order of `order_ids`, which may be empty. Each order
    goes its own way, as with `print_order`: one that fails is one incident, and holds up no
    other.
    """
    # Each member has callbacks of its own. A group has `link`, too, but that calls back for
    # its first member only, and without the result.
    return group([with_callbacks(order_id) for order_id in order_ids]).delay()
