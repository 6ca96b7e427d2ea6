"""The payment gateway of the shop, given. The tests decide what it answers."""


class GatewayTimeout(Exception):
    """The gateway did not answer in time. It may answer the next time."""


class CardDeclined(Exception):
    """The bank says no. It will say no again."""


calls = []  # what it was asked so far, such as ("charge", 7, 1250)
answers = []  # what it will answer, one for each call; an error is raised


def authorize(order_id, cents):
    """Ask whether the card can pay."""
    return _answer("authorize", order_id, cents)


def charge(order_id, cents):
    """Take the money. Return the number of the receipt."""
    return _answer("charge", order_id, cents)


def refund(order_id):
    """Give the money back. Return the number of the receipt."""
    return _answer("refund", order_id)


def capture(order_id):
    """Collect the money that was reserved. Return the number of the receipt."""
    return _answer("capture", order_id)


def _answer(*call):
    calls.append(call)
    answer = answers.pop(0) if answers else f"receipt-{len(calls)}"
    if isinstance(answer, Exception):
        raise answer
    return answer
