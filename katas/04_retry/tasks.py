"""04 · Charge a card through a flaky gateway. See README.md in this folder."""

import gateway
from celery import Celery

app = Celery("retry")


# Given: one task that does not retry, complete. Leave it as it is.


@app.task
def authorize(order_id, cents):
    """Ask whether the card can pay. When the gateway does not answer, the task fails."""
    return gateway.authorize(order_id, cents)


# Your part.


def charge(order_id, cents):
    """Return `gateway.charge(order_id, cents)`.

    On `gateway.GatewayTimeout`, and on no other error, try again after 1 second, then
    after 2, then after 4: at most three retries. Then fail with the error of the gateway.
    """
    raise NotImplementedError("TODO 1: make `charge` a bound task that retries itself")


def refund(order_id):
    """Return `gateway.refund(order_id)`.

    On `gateway.GatewayTimeout`, and on no other error, try again every 5 seconds: at most
    five retries. Then fail with the error of the gateway.
    """
    raise NotImplementedError("TODO 2: declare the retries of `refund`, with `autoretry_for`")


def capture(order_id):
    """Return `gateway.capture(order_id)`.

    On `gateway.GatewayTimeout`, and on no other error, try again after 1 second, and
    double the delay each time, up to 60 seconds: 1, 2, 4, 8, 16, 32, 60, 60. At most eight
    retries, and exactly these delays: no jitter. Then fail with the error of the gateway.
    """
    raise NotImplementedError("TODO 3: declare retries with back-off, with `autoretry_for`")
