"""05 · Keep the e-mail away from the presses. See README.md in this folder."""

from celery import Celery

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


# Your part. TODO 1 and TODO 2 are settings of the app, such as `app.conf.… = …`. Write them
# in place of the line `# raise …`. It is a comment, because this file must be importable.


# The routes: a task `mail.*` goes to queue `mail`, a task `image.*` to queue `image`, and
# every other task to queue `default`, which is the default queue of the app. Tasks that are
# added later follow the same rule.
# raise NotImplementedError("TODO 1: the routes, and the default queue for the rest")


# The queues: `mail`, `image`, `default`, `express` and `wholesale`, and no other. Celery
# raises QueueNotFound when a task is sent to a queue with any other name.
# raise NotImplementedError("TODO 2: declare five queues, and let Celery create no other")


def render(photo_id, express=False):
    """Send one `image.render`: to queue `express` if asked to, else by its route.

    Return its AsyncResult at once, without waiting.
    """
    raise NotImplementedError("TODO 3: send image.render, and name the queue for this one call")


def route_wholesale(name, args, kwargs, options, task=None, **kw):
    """A router: Celery calls it for each message, and it says where the message goes.

    A task `image.*` that is sent with customer="wholesale" goes to queue `wholesale`. All
    the rest goes where TODO 1 sends it. Celery uses a router when it is in the setting
    `task_routes`. `task` is None when the sender knows no more than the name.
    """
    raise NotImplementedError("TODO 4: a router, and its place in front of your routes")
