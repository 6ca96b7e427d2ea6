"""10 · Tell someone. See README.md in this folder."""

import uuid

import incidents  # noqa: F401 - for your part
from celery import Celery
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


def report_failure(request, exc, traceback):
    """Report a failed task. Celery is to call it, as an error callback.

    `request` is the request of the failed task, `exc` is its error, and `traceback` a text.
    Add one incident by `incidents.report`: the name and the id of the failed task, `repr(exc)`
    and the traceback. When that raises an error, whichever, log an error with the id of the
    failed task by `logger`, and raise nothing.
    """
    raise NotImplementedError("TODO 1: make it a task of `app` that adds an incident")


def print_order(order_id):
    """Print one order, by a worker. Then ship the parcel, or report the failure.

    Send `print_photos`. When it has succeeded, `ship` runs as a task, and takes the bar code
    that `print_photos` returned. When it has failed, `report_failure` is called. Return the
    AsyncResult of `print_photos` at once, without waiting.
    """
    raise NotImplementedError("TODO 2: send `print_photos` with its two callbacks")


def print_batch(order_ids):
    """Print many orders side by side. Ship each parcel, and report each failure.

    Send them as one group, and return its GroupResult at once, without waiting. The results
    are those of `print_photos`, in the order of `order_ids`, which may be empty. Each order
    goes its own way, as with `print_order`: one that fails is one incident, and holds up no
    other.
    """
    raise NotImplementedError("TODO 3: a group, and two callbacks for each member")
