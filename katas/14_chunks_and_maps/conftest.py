"""The photo studio of a test: what was resized and made small, by which task."""

import random
import uuid

import pytest
from celery import Task
from celery._state import _task_stack

GIVEN = ("resize", "thumbnail")


def shown(value):
    text = repr(value)
    return text if len(text) <= 240 else f"{text[:239]}…"


def running_in_worker():
    """The id of the task that a worker runs now. What it calls, or applies, is none."""
    requests = [task.request for task in _task_stack.stack]
    found = [one.id for one in requests if not (one.called_directly or one.is_eager)]
    return found[-1] if found else None


class Studio:
    """The given tasks of the learner's module: what they were called with.

    `calls` has the arguments of each call, such as ("a.jpg", 300) or (7,), and `by` the id of the
    task that a worker ran then, or None. An error in `errors` is raised for its arguments.
    """

    def __init__(self, kata):
        self.kata = kata
        self.calls, self.by, self.errors = [], [], {}
        self._names = {}

    def name(self, *arguments):
        """What the given task returns for these arguments. It is new in each test."""
        return self._names.setdefault(arguments, f"{random.randint(10**6, 10**7)}.jpg")

    def work(self, *arguments):
        """What the given tasks run."""
        self.calls.append(arguments)
        self.by.append(running_in_worker())
        if arguments in self.errors:
            raise self.errors[arguments]
        return self.name(*arguments)

    def calls_of(self, task_id):
        """The arguments of the calls in the task with this id, in order."""
        return [args for args, by in zip(self.calls, self.by, strict=True) if by == task_id]

    def item(self, photo_id):
        """What `try_thumbnail` must return for this photo."""
        if bad := self.errors.get((photo_id,)):
            return {"id": photo_id, "error": str(bad)}
        return {"id": photo_id, "path": self.name(photo_id)}

    def outcome(self, result):
        """The value of a result, or its error."""
        try:
            return result.get()
        except AssertionError:  # it can never come
            raise
        except Exception as error:
            return error

    def tried(self, function, *args, **kwargs):
        """What a function of the learner's returns, or its error."""
        try:
            return function(*args, **kwargs)
        except (NotImplementedError, AssertionError, TypeError):
            raise  # it is not done, it waits for ever, or it is wrong
        except Exception as error:
            return error

    def check_only_sent(self, name, timeline, naps):
        """The function `name` has sent something, and has done no more than that."""
        assert not timeline.waits(), f"`{name}` waited for a result. It must return at once."
        assert not naps, f"`{name}` called `time.sleep`, for {naps} seconds."
        assert not self.calls, (
            f"`{name}` did the work itself, in its own process. It must send it, for a worker to "
            f"do.\nDone was\n    {shown(self.calls)}."
        )

    def check_chunks(self, call, ids, most, result):
        """The chunks have these ids in order, none has too many, and the results are right."""
        done = [self.calls_of(chunk.id) for chunk in result.results]
        lengths = [len(calls) for calls in done]
        values = [self.outcome(chunk) for chunk in result.results]
        for value in values:
            assert isinstance(value, list), (
                f"{call}: the result of a chunk is\n    {value!r}.\nIt must be a list, with a "
                "result of `try_thumbnail` for each id."
            )
        assert max(lengths, default=0) <= most, f"{call}: the chunks had {lengths} ids."
        calls = [args[0] for chunk in done for args in chunk]
        assert calls == ids, (
            f"{call} must make these {len(ids)} photos, in this order. Made were {len(calls)}: "
            f"{shown(calls)}."
        )
        for number, (chunk, value) in enumerate(zip(done, values, strict=True), 1):
            items = [self.item(args[0]) for args in chunk]
            assert value == items, (
                f"{call}: the result of chunk {number} is\n    {shown(value)}.\n"
                f"It must be\n    {shown(items)}."
            )

    def check_try_thumbnail(self):
        """A test of another TODO rests on this one: it does what it must, or is blamed."""
        good, bad, other, again = random.sample(range(10**4, 10**5), 4)
        self.errors[bad,] = self.kata.BadPhoto(f"photo {bad} is torn")
        self.errors[other,] = OSError("the disk is full")
        ids = [good, bad, again, other]
        values = [self.tried(self.kata.try_thumbnail, photo_id) for photo_id in ids]
        for photo_id, found in zip(ids, values, strict=True):
            expected = self.errors[other,] if photo_id == other else self.item(photo_id)
            same = found == expected or repr(found) == repr(expected)  # errors are not equal
            assert same, (
                f"TODO 2: try_thumbnail({photo_id}) gave\n    {found!r}.\nIt must be\n"
                f"    {expected!r}."
            )
        self.calls.clear()
        self.by.clear()


@pytest.fixture
def studio(kata, monkeypatch):
    """See `Studio`. It must be there before a worker starts."""
    tasks = [kata.app.tasks.get(f"tasks.{name}") for name in GIVEN]
    for name, task in zip(GIVEN, tasks, strict=True):
        assert isinstance(task, Task), f"`{name}` is given, a task of `app`. Leave it as it is."
    try:
        made = tasks[0].run("a.jpg", 300), tasks[1].run(7)
    except Exception as error:
        made = error
    as_given = made == ("a-300.jpg", "thumbnails/7.jpg")
    assert as_given, "`resize` and `thumbnail` are given. Leave them as they are."
    studio = Studio(kata)

    def resize(path, width):
        return studio.work(path, width)

    def thumbnail(photo_id):
        return studio.work(photo_id)

    for task, run in zip(tasks, (resize, thumbnail), strict=True):
        run.__qualname__ = task.name  # as a TypeError names it
        monkeypatch.setattr(task, "run", run)
    return studio


@pytest.fixture
def chunk_results(kata):
    """`chunk_results(("SUCCESS", [1]), ("FAILURE", error), ("PENDING", None))` is a GroupResult.

    No worker has made it: the states are stored as a worker stores them. `store(number, state,
    value)`, an attribute of it, changes one.
    """

    def make(*chunks):
        ids = [uuid.uuid4().hex for _ in chunks]

        def store(number, state, value):
            if state != "PENDING":
                kata.app.backend.store_result(ids[number], value, state)

        for number in reversed(range(len(chunks))):  # the last one is the first to end
            store(number, *chunks[number])
        results = [kata.app.AsyncResult(task_id) for task_id in ids]
        group_result = kata.app.GroupResult(uuid.uuid4().hex, results)
        group_result.store = store
        return group_result

    return make
