"""14 · Ten thousand thumbnails: the reference solution."""

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
    # Sent, and not called: calling the signature would do all the work here.
    return resize.starmap(pairs).delay()


@app.task
def try_thumbnail(photo_id):
    """A task that makes the thumbnail of a photo, or says what is wrong with the photo.

    It calls `thumbnail` in the same worker, and sends no message. Its result is
    {"id": 7, "path": "thumbnails/7.jpg"}, with what `thumbnail` has returned, or
    {"id": 13, "error": "photo 13 cannot be read"}, with the text of the BadPhoto. Any other error
    is not the photo's fault: it is raised as it is.
    """
    # An exception would end the whole chunk. As a value it is one item of the list.
    try:
        return {"id": photo_id, "path": thumbnail(photo_id)}
    except BadPhoto as error:
        return {"id": photo_id, "error": str(error)}


def thumbnails(photo_ids, size):
    """Make thumbnails of many photos, as `try_thumbnail` does. `photo_ids` is a list of numbers.

    They are sent in chunks. One message has up to `size` ids, and there are no more messages than
    that needs: 250 ids are 3 messages if `size` is 100. Without ids there is no message.

    Return the GroupResult at once, without waiting. It has one result for each chunk: a list of
    what `try_thumbnail` has returned. All is in the order of `photo_ids`, and an id that is there
    twice is done twice.
    """
    # A chunk is a starmap, and takes each item apart: an id alone must be a tuple of one.
    return try_thumbnail.chunks([(photo_id,) for photo_id in photo_ids], size).apply_async()


def progress(group_result):
    """How many chunks of a GroupResult have ended, such as {"done": 3, "failed": 1, "total": 5}.

    `done` counts all that have ended, well or not. `failed` counts those of them that have failed.
    It may be asked at any time. It does not wait, and it does not raise the errors.
    """
    # completed_count() has only those that have succeeded. A failed chunk has ended as well.
    done = [chunk for chunk in group_result.results if chunk.ready()]
    failed = [chunk for chunk in done if chunk.failed()]
    return {"done": len(done), "failed": len(failed), "total": len(group_result.results)}


def collect(group_result):
    """Wait for all chunks of a GroupResult; return what is in them as one flat list, in order.

    If a chunk has failed, raise its error: a list that lacks some photos looks as if all is well.
    """
    return [item for chunk in group_result.get() for item in chunk]
