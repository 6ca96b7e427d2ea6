"""The ink that a page takes in the workers of kata 03."""

import random

import pytest


class OtherInk:
    """In the workers a page takes some millilitres more than in a direct call of `ink_for_page`.

    So it shows who has computed.
    """

    def __init__(self, task):
        self._more, self._task, self._run = random.randint(100, 900), task, task.run

    def run(self, *args, **kwargs):
        """What the workers run instead of `ink_for_page.run`."""
        amount = self._run(*args, **kwargs)
        return amount if self._task.request.called_directly else amount + self._more

    def amounts(self, pages):
        """The list that `total_ink` must be handed."""
        return [2 + 5 * page + self._more for page in pages]

    def check_handed(self, run, pages, percent=0):
        """Check what `total_ink` was handed: one list and the percentage, however passed."""

        def total_ink(amounts, spare_percent=0):
            return amounts, spare_percent

        wanted = f"It must be handed the list {brief(self.amounts(pages))}"
        wanted += f" and the percentage {percent}." if percent else "."
        try:
            amounts, spare = total_ink(*run.args, **run.kwargs)
        except TypeError:
            pytest.fail(f"The worker ran {run.call}.\n{wanted}")
        if pages and amounts == [2 + 5 * page for page in pages]:
            wanted += (
                "\nThese are the numbers of a direct call of `ink_for_page`. In this test the task "
                "takes more ink when a worker runs it."
            )
        assert amounts == self.amounts(pages), (
            f"The pages are {brief(pages)}. `total_ink` was handed {brief(amounts)}.\n{wanted}"
        )
        assert spare == percent, (
            f"The percentage that `total_ink` was handed is {spare!r}: {run.call}.\n{wanted}"
        )


def brief(numbers):
    """A list as it is shown: of a long one only the beginning."""
    if not isinstance(numbers, list) or len(numbers) <= 8:
        return repr(numbers)
    return f"[{', '.join(map(repr, numbers[:6]))}, …], {len(numbers)} in all"


@pytest.fixture
def other_ink(kata, monkeypatch):
    """The ink that a page takes in the workers. Ask for it before a worker: it looks only once."""
    task = kata.app.tasks.get("tasks.ink_for_page")
    assert task is not None, "`ink_for_page` is given, a task of `app`. Leave it as it is."
    other_ink = OtherInk(task)
    monkeypatch.setattr(task, "run", other_ink.run)
    return other_ink
