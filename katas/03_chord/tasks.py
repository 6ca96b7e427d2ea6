"""03 · How much ink will the book take? See README.md in this folder."""

from celery import Celery

app = Celery("chord")


# Given: one task, complete. Leave it as it is.


@app.task
def ink_for_page(page):
    """The ink for one page in millilitres. `page` is the number of photos on it."""
    if page < 0:
        raise ValueError(f"a page cannot hold {page} photos")
    return 2 + 5 * page


# Your part.


def total_ink(amounts, spare_percent=0):
    """Add up a list of amounts in millilitres. Add `spare_percent` per cent of the sum.

    The result is a whole number, rounded down: 110 for [40, 60] with 10 per cent.
    """
    raise NotImplementedError("TODO 1: make `total_ink` a task of `app`, and add up")


def estimate(pages):
    """The ink for a whole book: all pages side by side, then one `total_ink` over them.

    `pages` is a list with the number of photos on each page; it may be empty. Return the
    AsyncResult of `total_ink` at once, without waiting.
    """
    raise NotImplementedError("TODO 2: a chord: all pages, then total_ink")


def estimate_with_spare(pages, percent):
    """As `estimate`, with `percent` per cent of spare ink on top."""
    raise NotImplementedError("TODO 3: hand the percentage to total_ink")
