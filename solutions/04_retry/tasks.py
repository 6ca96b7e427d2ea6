"""04 · Charge a card through a flaky gateway: the reference solution."""

import gateway
from celery import Celery

app = Celery("retry")


# Given: one task that does not retry, complete. Leave it as it is.


@app.task
def authorize(order_id, cents):
    """Ask whether the card can pay. When the gateway does not answer, the task fails."""
    return gateway.authorize(order_id, cents)


# Your part.


@app.task(bind=True, max_retries=3)
def charge(self, order_id, cents):
    """Return `gateway.charge(order_id, cents)`.

    On `gateway.GatewayTimeout`, and on no other error, try again after 1 second, then
    after 2, then after 4: at most three retries. Then fail with the error of the gateway.
    """
    try:
        return gateway.charge(order_id, cents)
    except gateway.GatewayTimeout as exc:
        # The number of retries travels with the message, so it counts for this order only.
        # With `exc` the task fails with this error when no retry is left.
        raise self.retry(exc=exc, countdown=2**self.request.retries)


# Without `countdown` Celery would wait for three minutes each time.
@app.task(
    autoretry_for=(gateway.GatewayTimeout,),
    retry_kwargs={"max_retries": 5, "countdown": 5},
)
def refund(order_id):
    """Return `gateway.refund(order_id)`.

    On `gateway.GatewayTimeout`, and on no other error, try again every 5 seconds: at most
    five retries. Then fail with the error of the gateway.
    """
    return gateway.refund(order_id)


# Back-off is jittered, and grows up to ten minutes, unless told otherwise.
@app.task(
    autoretry_for=(gateway.GatewayTimeout,),
    max_retries=8,
    retry_backoff=True,
    retry_backoff_max=60,
    retry_jitter=False,
)
def capture(order_id):
    """Return `gateway.capture(order_id)`.

    On `gateway.GatewayTimeout`, and on no other error, try again after 1 second, and
    double the delay each time, up to 60 seconds: 1, 2, 4, 8, 16, 32, 60, 60. At most eight
    retries, and exactly these delays: no jitter. Then fail with the error of the gateway.
    """
    return gateway.capture(order_id)
