"""12 · Pages known only at run time: the reference solution."""

import catalogue
from celery import Celery, chord

app = Celery("dynamic_workflows")


# Given: two tasks, complete. Leave them as they are.


@app.task
def print_page(book_id, page):
    """Print one page of a book; return the ink that it took, in millilitres."""
    return 2 + (7 * book_id + 5 * page) % 40


@app.task
def total_ink(amounts):
    """Add up a list of amounts in millilitres."""
    return sum(amounts)


# Your part.


def printing(book_id, pages):
    """The chord that prints these pages. Nobody has sent it yet."""
    return chord([print_page.s(book_id, page) for page in pages], total_ink.s())


@app.task(bind=True)
def print_book(self, book_id):
    """Print a whole book; the result is the ink that it took, as `total_ink` adds it up.

    `catalogue.pages_of` knows how many pages there are, when the task runs and not before.
    Then each page is printed once, by a task of its own, side by side. `total_ink` comes last.

    Whoever calls `print_book.delay(7)` gets an AsyncResult. It is there to stay: in the end it
    has the total, or the error if a page or the catalogue fails. Callbacks that are linked to
    the call are called once, in the end, and a next step of a chain is handed the total.

    `print_book` runs once for each call and waits for nothing, so one worker that runs one task
    at a time can do it all. A book may have no page: its total is 0.
    """
    pages = range(1, catalogue.pages_of(book_id) + 1)
    # The chord is sent, and its last task, `total_ink`, takes over our id, the callbacks and the
    # rest of the chain. replace() never returns: it raises Ignore, so that no result is stored
    # for us. `return` says so to whoever reads this.
    return self.replace(printing(book_id, pages))


@app.task(bind=True)
def reprint(self, book_id, only):
    """Print some pages of a book again. All that is said of `print_book` goes for this task.

    `only` is a list with the numbers of the pages. A number that the book does not have, by
    now, is left out. A number that stands there twice is printed twice.

    If nothing is left to print, the result is 0, and no other task is run for this call.
    """
    count = catalogue.pages_of(book_id)
    pages = [page for page in only if 1 <= page <= count]
    if not pages:
        return 0  # a task may also end as any other: nothing is sent, and this is the result
    return self.replace(printing(book_id, pages))
