"""The shop's orders, given. In a real shop the table is in a database."""

import dataclasses
from decimal import Decimal


@dataclasses.dataclass(frozen=True)
class Money:
    """An amount of money, without rounding, such as Money(Decimal("12.30"), "EUR")."""

    amount: Decimal
    currency: str

    def __str__(self):
        return f"{self.amount} {self.currency}"

    def __mul__(self, times):
        return Money(self.amount * times, self.currency)


@dataclasses.dataclass
class Order:
    """An order as it was when it was read."""

    id: int
    customer: str
    total: Money


table = {}  # the rows, such as {7: Order(7, "Ann", Money(Decimal("12.30"), "EUR"))}


def read(order_id):
    """Read an order from the table. It is a copy, and does not follow what the row becomes."""
    if order_id not in table:
        raise LookupError(f"there is no order {order_id}")
    return dataclasses.replace(table[order_id])


def invoice_text(order):
    """The text of an invoice."""
    return f"Invoice {order.id}: {order.customer} pays {order.total}"
