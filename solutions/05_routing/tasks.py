"""05 · Keep the e-mail away from the presses: the reference solution."""

from celery import Celery
from kombu import Exchange, Queue

app = Celery("routing")


# Given: five tasks with names of their own, complete. Leave them as they are.


@app.task(name="mail.welcome")
def send_welcome(address):
    """Greet a new customer."""
    return f"welcome, {address}"


@app.task(name="mail.receipt")
def send_receipt(order_id, *, customer="private"):
    """Send the receipt for an order."""
    return f"receipt {order_id} for a {customer} customer"


@app.task(name="image.render")
def render_image(photo_id, *, customer="private"):
    """Render a photo for the press. This takes minutes."""
    return f"photo {photo_id} for a {customer} customer"


@app.task(name="image.thumbnail")
def make_thumbnail(photo_id, *, customer="private"):
    """Make a small copy of a photo."""
    return f"thumbnail {photo_id} for a {customer} customer"


@app.task(name="report.daily")
def daily_report(*, customer="all"):
    """Write the sales report of the day."""
    return f"report on {customer} customers"


# Your part.


# Patterns, and not the names of today's tasks: a task that is added tomorrow finds its
# queue without a change here. The setting `task_routes` stands at the end of this file,
# where its router is known.
#
# The rest goes to the default queue. A pattern "*" alone would not do: up to Celery 5.6
# nothing can be sent when the default queue is not declared.
ROUTES = {"mail.*": {"queue": "mail"}, "image.*": {"queue": "image"}}
app.conf.task_default_queue = "default"


# An exchange and a routing key for each queue: what Celery gives to the queues that it
# creates by itself. The default queue must be in the list like any other.
QUEUES = ("mail", "image", "default", "express", "wholesale")
app.conf.task_queues = [Queue(name, Exchange(name), routing_key=name) for name in QUEUES]
# Celery would create a mistyped queue, too, and no worker would ever read it.
app.conf.task_create_missing_queues = False


def render(photo_id, express=False):
    """Send one `image.render`: to queue `express` if asked to, else by its route.

    Return its AsyncResult at once, without waiting.
    """
    # A queue that is named in the call comes before every route, and counts for this call
    # only. A call that names none is left to the routes.
    options = {"queue": "express"} if express else {}
    return render_image.apply_async((photo_id,), **options)


def route_wholesale(name, args, kwargs, options, task=None, **kw):
    """A router: Celery calls it for each message, and it says where the message goes.

    A task `image.*` that is sent with customer="wholesale" goes to queue `wholesale`. All
    the rest goes where TODO 1 sends it. Celery uses a router when it is in the setting
    `task_routes`. `task` is None when the sender knows no more than the name.
    """
    if name.startswith("image.") and kwargs.get("customer") == "wholesale":
        return {"queue": "wholesale"}
    # None means "I do not know", and Celery asks the next router. An empty dict would be
    # an answer: the default queue.
    return None


# The first router that answers wins, so the exception stands before the rule.
app.conf.task_routes = (route_wholesale, ROUTES)
