"""07 · How far is my album? See README.md in this folder."""

import studio
from celery import Celery

app = Celery("progress")

INTERVAL = 0.5  # seconds between two looks at an album


# Given, complete. Leave it as it is.


def render_photo(photo_id):
    """Render one photo; return the path of the file. It takes long.

    Raises:
        studio.BadPhoto: the file is damaged.
    """
    return studio.render(photo_id)


# Your part.


def render_album(photo_ids):
    """Render the photos one after another; return the list of their paths, in order.

    What the result back end knows about a running album:

    - until the first photo is done: the state STARTED;
    - after each photo: the state PROGRESS, with a dict of `done` (photos that are ready)
      and `total` (photos in the album).

    A photo may be in the album two times. A bad photo makes the album fail.
    """
    raise NotImplementedError("TODO 1: a bound task of `app` that reports its progress")


def status(task_id):
    """What a web page wants to know about the album with this task id, as a dict:

    - `state`: Celery's word for it, such as "PENDING" or "FAILURE";
    - `percent`: 0 for PENDING and STARTED; for PROGRESS what is done, a whole number,
      rounded down; 100 for SUCCESS; None for every other state, where nobody knows;
    - `result`: the paths, only for SUCCESS;
    - `error`: the text of the error, as `str` gives it, only for FAILURE.

    The dict can be written as JSON in every state. `status` never waits and never raises.
    All that it says was true at one moment, even if the album goes on meanwhile.
    """
    raise NotImplementedError("TODO 2: one look at the result back end")


def follow(result, on_percent):
    """Follow an album to its end: call `on_percent(percent)` for each change.

    `result` is the AsyncResult of `render_album`. The same percentage is not told twice,
    and the last one of a good album is 100. Return the paths, or raise the error of the
    album; an album that was revoked has ended, too. Look at most once in INTERVAL seconds:
    many pages follow many albums.
    """
    raise NotImplementedError("TODO 3: look, tell, pause, until the album has ended")
