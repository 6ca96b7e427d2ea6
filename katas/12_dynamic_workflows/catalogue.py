"""The shop's catalogue of books, given. A real shop asks a database.

Customers change their books at any time: what is true now may be wrong in a minute.
"""

books = {1: 3, 2: 24, 3: 1, 4: 0}  # id of a book: how many pages it has now


def pages_of(book_id):
    """How many pages a book has at this moment: 3 means that it has the pages 1, 2 and 3."""
    if book_id not in books:
        raise LookupError(f"there is no book {book_id}")
    return books[book_id]
