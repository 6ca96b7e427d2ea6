"""What the tests of this kata change in the learner's module, and ask it when one fails."""

import random

import pytest
from celery import Task

from dojo.evidence.timeline import Timeline
from dojo.telling.failure import TIMELINE

GIVEN = ("fetch", "resize", "stamp", "announce")


@pytest.fixture(autouse=True)
def given(naps, kata):  # noqa: ARG001 - it must come before `kata`
    """The given tasks are tasks."""
    for name in GIVEN:
        assert isinstance(getattr(kata, name, None), Task), (
            f"`{name}` is given, and is no task any more. `@app.task` must stand right above "
            f"`def {name}`."
        )


@pytest.fixture
def new_text(kata, monkeypatch):
    """`new_text()` gives STAMP_TEXT another value, and returns it."""

    def change():
        text = f"draft-{random.randint(1, 9999)}"
        monkeypatch.setattr(kata, "STAMP_TEXT", text, raising=False)
        return text

    return change


@pytest.fixture
def failing(kata, monkeypatch):
    """`failing("tasks.resize")` makes that task fail, and returns the id of a photo."""

    def fail(*_, **__):
        raise LookupError("there is no photo 0")

    def break_step(step):
        if step == "tasks.fetch":  # it fails by itself
            return 0
        monkeypatch.setattr(kata.app.tasks[step], "run", fail)
        return random.randint(1, 9999)

    return break_step


@pytest.fixture
def why_path(timeline):
    """`why_path(path, photo, width, text)` says what the path that came back tells of its fault."""

    def why(path, photo, width, text):
        ran = [e.task.removeprefix("tasks.") for e in timeline.started()]
        if str(path).startswith(f"{photo}-{width}px-"):
            return f"STAMP_TEXT was {text!r} when `prepare` was called."
        if left_out := [step for step in GIVEN[:3] if step not in ran]:
            return f"`{left_out[0]}` never ran."
        if ran.index("stamp") < ran.index("resize"):
            return "`stamp` ran before `resize`."
        steps = {photo: "fetch", f"{photo}-{width}px": "resize"}
        step = steps.get(path)
        return f"This is the result of `{step}`, and not of the last step." if step else ""

    return why


class WhyAnnounce:
    """What is wrong with the way in which `announce` was sent."""

    def __init__(self, timeline):
        self._timeline = timeline

    def __call__(self, event, photo_id, width):
        """A text about arguments that are not the id of the photo alone."""
        text = f"The worker called {event.call}."
        values = [*event.args, *event.kwargs.values()]
        if any(isinstance(value, str) for value in values):
            return (
                f"{text} `announce` takes the id of the photo, and nothing else.\nIn a chain, a "
                "signature made by .s() gets the result of the task before it as its first "
                "argument. One made by .si() does not."
            )
        width_is = f" {width} is the width." if width in values else ""
        return f"{text}{width_is} The id of the photo is {photo_id}."

    def check_together(self):
        """The photo and `announce` are one chain, and `announce` is its end."""
        by_caller = [e.task for e in self._timeline.sent() if not e.worker]
        assert not self._timeline.waits(), (
            "`prepare_and_announce` waits for the photo. Put `announce` into the chain: then "
            "nobody waits."
        )
        first = by_caller[:1] == ["tasks.announce"]
        assert not first, "`announce` comes first here. It must come last."
        assert "tasks.announce" not in by_caller, (
            "The photo and `announce` were sent as two messages, and nothing keeps their order. "
            "Put `announce` into the chain."
        )

    def other(self, result):
        """A text about the result of another step."""
        steps = [e.task for e in self._timeline.started() if e.id == result.id]
        its = f" It is the one of `{steps[0].removeprefix('tasks.')}`." if steps else ""
        return f"The result must be the one of `announce`.{its}"


@pytest.fixture
def why_announce(timeline):
    """See `WhyAnnounce`."""
    return WhyAnnounce(timeline)


@pytest.fixture
def fault(kata, request, timeline):
    """`fault()` says what is wrong with the function of TODO 1; "" if nothing.

    The others do the same for more photos, so a mistake there shows in their tests. It needs a
    worker that runs.
    """

    def told():
        # What it sends is not shown to the learner, who did not send it.
        shown = request.node.stash[TIMELINE] = Timeline()
        for event in timeline.events():
            shown.record(event)
        text = getattr(kata, "STAMP_TEXT", None)
        try:
            path = kata.prepare(7, 100).get()
        except Exception as error:
            return f"TODO 1: `prepare` fails: {type(error).__name__}: {error}\n"
        expected = f"photo-7-100px-{text}.jpg"
        right = path == expected
        return "" if right else f"TODO 1: prepare(7, 100) gives {path!r}, not {expected!r}.\n"

    return told
