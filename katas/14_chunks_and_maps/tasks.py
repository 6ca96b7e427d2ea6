"""14 · Ten thousand thumbnails. See README.md in this folder."""

from celery import Celery

app = Celery("chunks_and_maps")

DAMAGED = {13, 404}  # ids of photos that cannot be read


# Given, complete. Leave it as it is.


class BadPhoto(Exception):
    """There is something wrong with this photo, and with no other."""


@app.task
def resize(path, width):
    """Resize the photo in a file; return the path of the new file."""
    return f"{path.removesuffix('.jpg')}-{width}.jpg"


@app.task
def thumbnail(photo_id):
    """Make the thumbnail of a photo; return its path."""
    if photo_id in DAMAGED:
        raise BadPhoto(f"photo {photo_id} cannot be read")
    return f"thumbnails/{photo_id}.jpg"


# Your part.


def resize_all(pairs):
    """Resize some photos, by the task `resize`. `pairs` is a list of paths and widths.

    One message has all pairs, also when there is none. Return its AsyncResult at once, without
    waiting. The result is a list of the new paths, in the order of the pairs. If a pair fails,
    the caller gets its error.
    """
    raise NotImplementedError("TODO 1: one message, by `starmap`")


def try_thumbnail(photo_id):
    """A task that makes the thumbnail of a photo, or says what is wrong with the photo.

    It calls `thumbnail` in the same worker, and sends no message. Its result is
    {"id": 7, "path": "thumbnails/7.jpg"}, with what `thumbnail` has returned, or
    {"id": 13, "error": "photo 13 cannot be read"}, with the text of the BadPhoto. Any other error
    is not the photo's fault: it is raised as it is.
    """
    raise NotImplementedError("TODO 2: a task that returns what is wrong with a photo")


def thumbnails(photo_ids, size):
    """Make thumbnails of many photos, as `try_thumbnail` does. `photo_ids` is a list of numbers.

    They are sent in chunks. One message has up to `size` ids, and there are no more messages than
    that needs: 250 ids are 3 messages if `size` is 100. Without ids there is no message.

    Return the GroupResult at once, without waiting. It has one result for each chunk: a list of
    what `try_thumbnail` has returned. All is in the order of `photo_ids`, and an id that is there
    twice is done twice.
    """
    raise NotImplementedError("TODO 3: send the ids in chunks")


def progress(group_result):
    """How many chunks of a GroupResult have ended, such as {"done": 3, "failed": 1, "total": 5}.

    `done` counts all that have ended, well or not. `failed` counts those of them that have failed.
    It may be asked at any time. It does not wait, and it does not raise the errors.
    """
    raise NotImplementedError("TODO 4: count the chunks that have ended")


def collect(group_result):
    """Wait for all chunks of a GroupResult; return what is in them as one flat list, in order.

    If a chunk has failed, raise its error: a list that lacks some photos looks as if all is well.
    """
    raise NotImplementedError("TODO 5: one list of all lists")
