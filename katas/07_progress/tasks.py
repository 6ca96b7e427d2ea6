"""07 · How far is my album? See README.md in this folder."""

import time

import studio
from celery import Celery

app = Celery("progress")


# Given, complete. Leave it as it is.


def render_photo(photo_id):
    """Render one photo; return the path of the file. It takes long.

    Raises:
        studio.BadPhoto: the file is damaged.
    """
    return studio.render(photo_id)


def pause():
    """Wait until it is time for the next look at an album."""
    time.sleep(0.5)


# Your part.


def render_album(photo_ids):
    """Render the photos one after another; return the list of their paths, in order.

    What the result back end knows about a running album:

    - until the first photo is done: the state STARTED;
    - after each photo, once: the state PROGRESS, with a dict of `done` (photos that are
      ready) and `total` (photos in the album);
    - in the end SUCCESS or FAILURE, which Celery stores by itself.

    An album may be empty, and a photo may be in it two times. A bad photo makes the album
    fail, with the error of `render_photo`.
    """
    raise NotImplementedError("TODO 1: a bound task of `app` that reports its progress")


def status(task_id):
    """What a web page wants to know about the album with this task id, as a dict:

    - `state`: Celery's word for it, such as "PENDING" or "FAILURE";
    - `percent`: 0 for PENDING and STARTED; for PROGRESS, which only `render_album` stores,
      what is done, a whole number, rounded down; 100 for SUCCESS; None for every other
      state, where nobody knows;
    - `result`: the paths, for SUCCESS; in every other state None, or no such key;
    - `error`: the text of the error, `str(error)` and no more, for FAILURE; in every other
      state None, or no such key.

    The dict can be written as JSON in every state. `status` never waits and never raises.
    All that it says was true at one moment, even if the album goes on meanwhile.
    """
    raise NotImplementedError("TODO 2: one look at the result back end")


def follow(result, on_percent):
    """Follow an album to its end; return the paths, or raise the error of the album.

    `result` is the AsyncResult of `render_album`. One look is one call of `status`. Call
    `on_percent(percent)` with what the first look says, and then each time that a look
    says another percentage than the one told last. None is not told. For a good album the
    last call says 100. An album that was revoked has ended, too.

    Call `pause()` between two looks, and wait in no other way. Many pages follow many
    albums: look once, and no more, between two pauses. `result.ready()` and the like are
    looks, too.
    """
    raise NotImplementedError("TODO 3: look, tell, pause, until the album has ended")
