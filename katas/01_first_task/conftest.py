"""The price list of the workers of kata 01."""

import random

import pytest


class PriceList:
    """In the workers a price is some cents higher than in a direct call: so it shows who computed.

    `more` is that number of cents, `no_paper_for` a size for which the workers raise an error.
    """

    def __init__(self, price, timeline):
        self.more, self.no_paper_for = random.randint(1_000, 9_000), None
        self._price, self._run, self._timeline = price, getattr(price, "run", None), timeline

    def run(self, *args, **kwargs):
        """What the workers run instead of `price.run`."""
        if self._price.request.called_directly:
            return self._run(*args, **kwargs)
        if self.no_paper_for and {*args, *kwargs.values()} >= {*self.no_paper_for}:
            raise ValueError(f"no paper for {self.no_paper_for}")
        price = self._run(*args, **kwargs)
        return price + self.more if isinstance(price, int) else price

    def check(self, call, expected, why, args, kwargs=None):
        """A wrong price in a worker is the fault of TODO 1, if a direct call is wrong as well."""
        text = f"TODO 1: {call}"
        try:
            price = self._price(*args, **kwargs or {})
        except Exception as error:
            raise AssertionError(f"{text} raised {type(error).__name__}: {error}") from None
        assert price == expected, f"{text} must return {expected}, not {price!r}.\n{why}."
        lost = getattr(self._price, "ignore_result", False)
        assert not lost, (
            "TODO 1: `ignore_result` is on for `price`. Celery throws its answers away, so nobody "
            "can read them."
        )

    def told(self, sizes, seen, expected):
        """A text about prices that are not those of the workers."""
        return f"quote_all({sizes}) gave\n{seen!r}\n{self._why(seen, expected)}"

    def _why(self, seen, expected):
        """What the prices themselves tell of their fault."""
        if any(callable(price) for price in seen):
            return "`get` without brackets is the method, and not its answer. Write `get()`."
        timeline = self._timeline
        if len(seen) < len(expected) and timeline.looks() and not timeline.waits():
            return "An answer that is not there yet may not be left out. `get()` waits for it."
        if len(seen) < len(expected):
            return (
                f"{len(expected)} sizes must give {len(expected)} prices, not {len(seen)}. Is a "
                "`return` inside a loop, or is a size left out?"
            )
        if None in seen and timeline.looks():
            return "None: you looked before the worker had answered. `get()` waits for the answer."
        text = f"The workers answer\n{expected!r}"
        if list(seen) != [price - self.more for price in expected]:
            return text
        return (
            f"{text}\nYours are the prices of a direct call. The workers must compute the price. "
            f"In this test they take {self.more} cents more."
        )


@pytest.fixture
def sent(timeline):
    """`sent()` are the messages that were sent."""
    return timeline.sent


@pytest.fixture
def miscounted(kata, timeline):
    """A text about messages that are too many or too few, and why there may be none."""
    name = getattr(kata.price, "name", "tasks.price")

    def why_none():
        others = [e.task for e in timeline.sent() if e.task != name]
        if not others:
            return "Was `price` run here, by a direct call, by .apply() or in eager mode?"
        other = others[0]
        if other in kata.app.tasks:
            return f"A message was sent for `{other}`. It must be one for `{name}`."
        return (
            f"A message was sent for a task {other!r}. The task is called {name!r} (`price.name`); "
            f"no worker knows {other!r}."
        )

    def text(who, sent, rule="It must send one."):
        return f"{who} sent {len(sent)} messages for `price`.\n{rule if sent else why_none()}"

    return text


@pytest.fixture
def price_list(kata, timeline, monkeypatch):
    """The price list of the workers. Ask for it before a worker, which looks only once."""
    task = kata.app.tasks.get(getattr(kata.price, "name", None))  # and no proxy of it
    price_list = PriceList(task or kata.price, timeline)
    if task is not None:
        monkeypatch.setattr(task, "run", price_list.run)
    return price_list
