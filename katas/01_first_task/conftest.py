"""The price list of the workers of kata 01."""

import random

import pytest


class PriceList:
    """In the workers a price is some cents higher than in a direct call: so it shows who computed.

    `more` is that number of cents, `no_paper_for` a size for which the workers raise an error.
    """

    def __init__(self, price):
        self.more, self.no_paper_for = random.randint(1_000, 9_000), None
        self._price, self._run = price, getattr(price, "run", None)

    def run(self, *args, **kwargs):
        """What the workers run instead of `price.run`."""
        if self._price.request.called_directly:
            return self._run(*args, **kwargs)
        if self.no_paper_for and {*args, *kwargs.values()} >= {*self.no_paper_for}:
            raise ValueError(f"no paper for {self.no_paper_for}")
        price = self._run(*args, **kwargs)
        return price + self.more if isinstance(price, int) else price

    def told(self, call, seen, expected):
        """A text about prices that are not those of the workers."""
        return (
            f"{call} gave\n{seen!r}\n"
            f"The workers must compute the price. They answer\n{expected!r}\n"
            f"In this test they take {self.more} cents more than a direct call of `price`."
        )


@pytest.fixture
def price_list(kata, monkeypatch):
    """The price list of the workers. Ask for it before a worker, which looks only once."""
    task = kata.app.tasks.get(getattr(kata.price, "name", None))  # and no proxy of it
    price_list = PriceList(task or kata.price)
    if task is not None:
        monkeypatch.setattr(task, "run", price_list.run)
    return price_list
