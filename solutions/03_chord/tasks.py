"""03 · How much ink will the book take?: the reference solution."""

from celery import Celery, chord

app = Celery("chord")


# Given: one task, complete. Leave it as it is.


@app.task
def ink_for_page(page):
    """The ink for one page in millilitres. `page` is the number of photos on it."""
    if page < 0:
        raise ValueError(f"a page cannot hold {page} photos")
    return 2 + 5 * page


# Your part.


@app.task
def total_ink(amounts, spare_percent=0):
    """Add up a list of amounts in millilitres. Add `spare_percent` per cent of the sum.

    The result is a whole number, rounded down: 110 for [40, 60] with 10 per cent.
    """
    # The body of a chord is handed one list, with the results in the order of the header.
    return sum(amounts) * (100 + spare_percent) // 100


def estimate(pages):
    """The ink for a whole book: all pages side by side, then one `total_ink` over them.

    `pages` is a list with the number of photos on each page; it may be empty. Return the
    AsyncResult of `total_ink` at once, without waiting.
    """
    # The header goes out now. The worker that finishes the last page sends the body.
    # chord() hands over a list for one page too; chain(group([page]), total) would not.
    return chord([ink_for_page.s(page) for page in pages])(total_ink.s())


def estimate_with_spare(pages, percent):
    """As `estimate`, with `percent` per cent of spare ink on top."""
    # The list comes first, so that the signature only names what is still missing.
    return chord([ink_for_page.s(page) for page in pages])(total_ink.s(spare_percent=percent))
