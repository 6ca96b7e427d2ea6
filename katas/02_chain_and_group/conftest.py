"""What the tests of this kata change in the learner's module, and ask it when one fails."""

import random

import pytest


@pytest.fixture
def new_text(kata, monkeypatch):
    """`new_text()` gives STAMP_TEXT another value, and returns it."""

    def change():
        text = f"draft-{random.randint(1, 9999)}"
        monkeypatch.setattr(kata, "STAMP_TEXT", text, raising=False)
        return text

    return change


@pytest.fixture
def failing(kata, monkeypatch):
    """`failing("tasks.resize")` makes that task fail, and returns the id of a photo."""

    def fail(*_, **__):
        raise LookupError("there is no photo 0")

    def break_step(step):
        if step == "tasks.fetch":  # it fails by itself
            return 0
        monkeypatch.setattr(kata.app.tasks[step], "run", fail)
        return random.randint(1, 9999)

    return break_step


@pytest.fixture
def fault_of_prepare(kata):
    """`fault_of_prepare()` says what is wrong with the function of TODO 1; "" if nothing.

    The others do the same for more photos, so a mistake there shows in their tests. It needs a
    worker that runs.
    """

    def fault():
        text = getattr(kata, "STAMP_TEXT", None)
        try:
            path = kata.prepare(7, 100).get()
        except Exception as error:
            return f"TODO 1: `prepare` fails: {type(error).__name__}: {error}\n"
        expected = f"photo-7-100px-{text}.jpg"
        right = path == expected
        return "" if right else f"TODO 1: prepare(7, 100) gives {path!r}, not {expected!r}.\n"

    return fault
