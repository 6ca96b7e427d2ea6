"""02 · Prepare photos for the press. See README.md in this folder."""

from celery import Celery

app = Celery("chain_and_group")

STAMP_TEXT = "proof"


# Given: four tasks, complete. Leave them as they are.


@app.task
def fetch(photo_id):
    """Download a photo; return the path of the file. There are no photos below 1."""
    if photo_id < 1:
        raise LookupError(f"there is no photo {photo_id}")
    return f"photo-{photo_id}"


@app.task
def resize(path, width):
    """Make a smaller copy of the file; return its path."""
    return f"{path}-{width}px"


@app.task
def stamp(path, text):
    """Write a text across the picture; return the path of the stamped file."""
    return f"{path}-{text}.jpg"


@app.task
def announce(photo_id):
    """Tell the customer; return what was said."""
    return f"photo {photo_id} is ready"


# Your part.


def prepare(photo_id, width):
    """Fetch one photo, resize it to `width`, stamp it with what STAMP_TEXT is at that time.

    Three tasks, one after another; each takes what the one before it returned. Return
    the AsyncResult of the last one at once, without waiting. Each call makes a new one.
    """
    raise NotImplementedError("TODO 1: a chain of fetch, resize and stamp")


def prepare_all(photo_ids, width):
    """Prepare many photos side by side, as `prepare` does it for one.

    Send them as one group, and return its GroupResult at once, without waiting. It is a
    group, too, when there is one photo or none. The results are in the order of
    `photo_ids`. Each call makes a new group.
    """
    raise NotImplementedError("TODO 2: a group of such chains")


def prepare_and_announce(photo_id, width):
    """Prepare one photo, then tell the customer.

    `announce` comes last. It takes the id of the photo, and not the path that `stamp`
    returned. Return the AsyncResult of `announce` at once, without waiting.
    """
    raise NotImplementedError("TODO 3: a chain that ends with announce")
