"""What is wrong with a line of the price list, and what is seen when it is sent."""

import functools
import inspect
import json
import traceback

import pytest
from celery.canvas import Signature
from celery.result import ResultBase

#: The given tasks: their arguments, and what is taken for one that is missing.
GIVEN = {
    "tasks.price": {"width_cm": None, "height_cm": None, "copies": 1, "paper": "glossy"},
    "tasks.show_discount": {"percent": None},
}
#: What `set` takes.
SETTINGS = ("immutable", "queue", "priority")
AS_JSON = "A signature is a dict: `json.dumps` makes a text of it."
SENT = "`{}` has sent it. Leave `.delay()` or `.apply_async()` out: return the signature."
PLAIN_DICT = (
    "A plain dict is no signature. `clone()` copies a signature (`copy.deepcopy` makes a plain "
    "dict of it), and `app.signature` makes one of a dict."
)


def call(task, args=(), kwargs=None):
    """The text of a call of a given task, with the names of all its arguments."""
    names, short = GIVEN.get(task, {}), task.removeprefix("tasks.")
    if len(args) > len(names):
        return f"{short}({', '.join(map(repr, args))})"
    taken = {name: value for name, value in names.items() if value is not None}
    taken |= {**dict(zip(names, args, strict=False)), **(kwargs or {})}
    named = [f"{name}={taken[name]!r}" for name in dict.fromkeys([*names, *taken]) if name in taken]
    return f"{short}({', '.join(named)})"


@pytest.fixture
def called():
    """`called(event)` is the call that was sent or started: see `call`."""
    return lambda event: call(event.task, event.args, event.kwargs)


@pytest.fixture
def sending(timeline, settle, called):
    """`sending(line, arguments)` sends a line; it returns one text for each message of it."""

    def texts(line, arguments):
        before = len(timeline.sent())
        line.delay(*arguments)
        settle()
        return [
            f"{called(e)} to queue {e.queue!r}, priority {e.priority}, countdown {e.countdown}, "
            f"{'expires' if e.expires else 'does not expire'}"
            for e in timeline.sent()[before:]
        ]

    return texts


def write_down(name):
    """What to write in place of a call."""
    return f"Write the call down: `.{'si' if name == 'discount' else 's'}(…)`."


def parts(signature):
    """All that a signature is made of, as JSON has it."""
    found = json.loads(json.dumps(signature, default=repr))
    return {**found, "immutable": bool(found.get("immutable"))}


def values(thing):
    """What the text of a signature must hold: its numbers and its words."""
    inside = thing.values() if isinstance(thing, dict) else thing
    if isinstance(thing, (dict, list)):
        return [value for each in inside for value in values(each)]
    about_kinds = (None, True, False, "chain", "celery.chain")  # may be said otherwise
    return [] if thing in about_kinds else [thing]


def shown(thing):
    """A signature with its options; anything else as Python shows it."""
    if not isinstance(thing, Signature):
        return repr(thing)
    try:
        text = repr(thing)
    except Exception:  # so ends the repr of a chain of something else
        text = f"a {thing.get('task')} of {thing.get('kwargs')}"
    marks = " (immutable)" if thing.get("immutable") else ""
    options = thing.get("options")
    return f"{text}{marks}" + (f" with the options {dict(options)}" if options else "")


def difference(signature, wanted):
    """A text about the first part of a signature that is not as wanted; "" if there is none."""
    seen = parts(signature)
    if wanted["task"] == "celery.chain" and type(signature) is Signature:
        return (
            "It must be a chain. It is a call of a task 'celery.chain', which nobody can run. Hand "
            "the whole dict to `app.signature`: it looks at `subtask_type`."
        )
    if "task_id" in seen["options"] and "task_id" not in wanted["options"]:
        return "It has an id, 'task_id': all its tasks would share one result. Leave `freeze` out."
    for part in ("task", "args", "kwargs", "immutable", "options", "subtask_type"):
        must, has = wanted.get(part), seen.get(part)
        if isinstance(must, dict) and isinstance(has, dict):  # what differs will do
            same = [key for key in must if key in has and has[key] == must[key]]
            must, has = ({k: v for k, v in d.items() if k not in same} for d in (must, has))
        if has != must:
            return f"Its {part!r} must be {must!r}, not {has!r}."
    return ""


def changed(signature, before):
    """The same for a signature that must be what it was, with nothing beside it."""
    more = sorted({*parts(signature)} - {*before})
    return difference(signature, before) or (
        f"It has an item {more[0]!r}, which the original had not." if more else ""
    )


def advice(name, thing):
    """What to write in place of something that is no signature."""
    if isinstance(thing, ResultBase):
        return f"\n{SENT.format(name)}"
    if isinstance(thing, functools.partial):
        return "\nA partial of Celery is a signature: `price.s(…)`."
    if isinstance(getattr(thing, "__self__", None), Signature):
        return f"\nLeave `.{thing.__name__}` out: the signature itself is wanted."
    if isinstance(thing, dict):
        return f"\n{PLAIN_DICT}"
    if name in ("poster", "discount") and isinstance(thing, (int, str)):
        return f"\nA task that is called runs here and now. {write_down(name)}"
    return ""


def no_argument(line, word):
    """What to write in place of a setting that was put among the arguments."""
    return (
        "\nIts keyword arguments are handed to the task, and "
        f"`{word}` is no argument of `{line.task.removeprefix('tasks.')}`. "
        f"It is said by `.set({word}=…)`."
    )


def misplaced(line):
    """What to write where options stand in a wrong place."""
    if not vars(line).keys().isdisjoint(SETTINGS):
        return "\nAn attribute of a signature is no option: `.set(queue=…)`."
    if "options" in line.options:
        return "\n`clone` takes each option by its name: `.clone(queue=…)`."
    return ""


def sharing(copy, original):
    """What a copy still has in common with its original, or ""."""
    if copy is original:
        return "\nIt returned the very signature that it was handed. Make a copy first."
    for part in ("options", "kwargs"):
        if copy.get(part) is original.get(part):
            return f"\nThe copy shares its dict {part!r} with the original: give it one of its own."
    links = copy.options.get("link")
    if links and links is original.options.get("link"):
        return "\nThe copy shares its list of links with the original: give it one of its own."
    return ""


class Lines:
    """What the learner's functions return, and what is wrong with it."""

    parts, shown, call = staticmethod(parts), staticmethod(shown), staticmethod(call)
    difference, changed = staticmethod(difference), staticmethod(changed)
    misplaced, sharing = staticmethod(misplaced), staticmethod(sharing)

    def __init__(self, kata):
        self.kata, self.made = kata, []

    def new(self, name, *args, **kwargs):
        """The signature that a function returns."""
        assert not (changed := self._changed_given()), changed
        try:
            line = getattr(self.kata, name)(*args, **kwargs)
        except Exception as error:
            why = self._about_error(name, error, (*args, *kwargs.values()))
            if not why:
                raise
            raise AssertionError(why).with_traceback(error.__traceback__) from None
        why = f"`{name}` must return a signature. It returned {shown(line)}.{advice(name, line)}"
        assert isinstance(line, Signature), why
        for word in SETTINGS:
            assert word not in line.kwargs, (
                f"`{name}` returned {shown(line)}.{no_argument(line, word)}"
            )
        read = line.task not in (*args, *kwargs.values())
        assert read, "`app.signature` takes a dict, or the name of a task. Read the JSON first."
        self.made.append((line, parts(line)))
        return line

    def spoilt(self, name, line):
        """What to say of a line that is no longer as it was when it was made, or ""."""
        if all(parts(line) == before for each, before in self.made if each is line):
            return ""
        return f"\n`{name}` was called after it, and changed it. Make a new signature in each call."

    def _changed_given(self):
        """What to say when a given task has other defaults now, or ""."""
        for task in (self.kata.price, self.kata.show_discount):
            taken = inspect.signature(getattr(task, "run", task)).parameters
            for name, default in GIVEN[f"tasks.{task.__name__}"].items():
                if name in taken and taken[name].default not in (default, inspect.Parameter.empty):
                    return f"`{task.__name__}` is given. Leave it as it is, with its defaults."
        return ""

    @staticmethod
    def would_run(line, *args):
        """The call that a worker makes when this line is sent with these arguments."""
        args = () if line.get("immutable") else args
        return call(line.task, (*args, *line.args), line.kwargs)

    def _about_error(self, name, error, given):
        """What a newcomer must know of an error in a function."""
        text = f"{type(error).__name__}: {error}"
        ran = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
        for task in (self.kata.price, self.kata.show_discount):
            if getattr(task.run, "__code__", None) in ran:
                return f"`{name}` called `{task.__name__}` here and now. {write_down(name)}\n{text}"
        if isinstance(error, TypeError) and "apply_async" in [code.co_name for code in ran]:
            return f"{SENT.format(name).replace('has sent', 'sends')}\n{text}"
        if isinstance(error, KeyError) and name == "load" and error.args == given:
            return (
                "`load` was handed a text with other spaces than the one that `save` returned. "
                "Read it as JSON."
            )
        if isinstance(error, AttributeError) and type(error.obj) is dict:
            return f"{text}\n{PLAIN_DICT}"
        return ""

    def saved(self, signature):
        """What `save` returns, and what is wrong with it, or ""."""
        text = self.kata.save(signature)
        if not isinstance(text, str):
            return text, f"`save` must return a text (str). It returned {shown(text)}.\n{AS_JSON}"
        try:
            json.loads(text)
        except ValueError as error:
            where = f"\n{AS_JSON}" if " column 1 " in str(error) else f"\nThere: {error}"
            if text.startswith("{'"):
                where = "\nThat is how Python writes a dict. `json.dumps` writes JSON."
            return text, f"`save` must return JSON. It returned {text!r}.{where}"
        if lost := self._lost(signature, text):
            return text, f"{lost}\n`save` returned {text}"
        return text, ""

    def _lost(self, signature, text):
        """What the text of a signature does not say, or ""."""
        twin = signature.clone()
        if type(signature) is Signature:
            if self.kata.save(twin.set(immutable=not signature.immutable)) == text:
                return "`save` does not say whether a signature is immutable: write all its items."
        elif self.kata.save(Signature({**twin, "subtask_type": None})) == text:
            lost = "`save` does not say that this signature is a chain: write `subtask_type`, too."
            return "" if self._comes_back(text, type(signature)) else lost
        missing = [value for value in values(parts(signature)) if str(value) not in text]
        lost = f"Not in the text: {', '.join(map(repr, missing))} of {shown(signature)}."
        return lost if missing else ""

    def _comes_back(self, text, kind):
        """Whether `load` knows all the same what kind of signature this was."""
        try:
            return isinstance(self.kata.load(text), kind)
        except Exception:  # it is not done yet, or is no better
            return False

    def text(self, signature):
        """What `save` returns. While it is not done: what it must return."""
        try:
            text, fault = self.saved(signature)
        except NotImplementedError:
            return json.dumps(signature)
        assert not fault, f"TODO 4: {fault}"
        return text


@pytest.fixture
def lines(kata):
    """See `Lines`."""
    return Lines(kata)
