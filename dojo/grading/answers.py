"""Which file is graded, and how it is imported.

The answers stand in a tree with one folder a kata: `katas` holds the learner's,
`solutions` the references. SOLUTIONS=1 chooses the second; KATAS_ANSWERS names any
other tree (the proofs use it).
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib.util
import os
import re
import sys
import traceback
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dojo.grading import curriculum
from dojo.grading.curriculum import Kata
from dojo.grading.source import line_of, names_defined

if TYPE_CHECKING:
    from celery import Celery

MODULE_NAME = "tasks"
JUST_SAVED = 2.0  # seconds before Python cached a module
OFF = {"", "0", "false", "no", "off"}
COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=]", re.M)  # the file names its encoding
TODO = re.compile(r"\bTODO (\d+)\b")


class AnswerError(Exception):
    """The learner's file cannot be graded. The message is written for the learner."""


class NotRunError(AnswerError):
    """The learner's file was not run again, since it did not come to an end before."""


def tree(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that holds the answers to grade: `katas` unless the environment says else."""
    if chosen := environ.get("KATAS_ANSWERS"):
        return Path(chosen).resolve()
    if environ.get("SOLUTIONS", "").lower() not in OFF:
        return curriculum.ROOT / "solutions"
    return curriculum.ROOT / "katas"


def others() -> str:
    """Whose answers are graded, if they are not the learner's own."""
    if tree() == curriculum.ROOT / "katas":
        return ""
    if tree() == curriculum.ROOT / "solutions":
        return "the reference solutions"
    return f"the answers in {shown(tree())}"


def file_of(kata: Kata) -> Path:
    """The file to grade for `kata`, whether it is there or not."""
    return tree() / kata.slug / "tasks.py"


def answer_of(kata: Kata) -> Path:
    """The file to grade for `kata`.

    Raises:
        AnswerError: there is no such file.
    """
    path = file_of(kata)
    if not path.is_file():
        text = f"{shown(path)} is missing. It holds the answer to {kata.slug}."
        if tree() == curriculum.ROOT / "katas":
            text += f"\nGet it back: git restore {shown(path)}"
        raise AnswerError(text)
    return path


def shown(path: Path | str) -> str:
    """`path` as the learner would type it: relative to where pytest was started."""
    with contextlib.suppress(ValueError):
        return os.path.relpath(path)
    return str(path)


def search_path(kata: Kata, answer: Path) -> list[str]:
    """Where the answer finds what it imports: beside itself, then beside the stub."""
    return list(dict.fromkeys([str(answer.parent), str(kata.folder)]))


@contextlib.contextmanager
def imported(kata: Kata, answer: Path) -> Iterator[types.ModuleType]:
    """The answer as a fresh module `tasks`; it is gone from `sys.modules` afterwards.

    Raises:
        AnswerError: it cannot be imported, or it defines no Celery app.
    """
    before = set(sys.modules)
    places = search_path(kata, answer)
    path, sys.path[:0] = list(sys.path), places
    try:
        module = run(answer)
        check_app(module, answer)
        yield module
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if any(file.startswith(place + os.sep) for place in places):
                del sys.modules[name]
                _forget_bytecode(file)


def _forget_bytecode(file: str) -> None:
    # Python's cache looks at whole seconds and at the size, so it could miss an edit that
    # follows at once. The answer itself is never cached: see `_compiled`.
    with contextlib.suppress(OSError, ValueError):
        cache, stat = Path(importlib.util.cache_from_source(file)), Path(file).stat()
        if cache.stat().st_mtime - max(stat.st_mtime, stat.st_ctime) < JUST_SAVED:
            cache.unlink()


@functools.lru_cache
def _compiled(path: Path, _stamp: tuple[int, int]) -> types.CodeType:
    # Compiled here and not by importlib, which would write a cache file.
    source = path.read_bytes()
    if not COOKIE.search(b"\n".join(source.splitlines()[:2])):
        try:
            source.decode()
        except UnicodeDecodeError as error:  # compile() would let it pass in a comment
            line = source.count(b"\n", 0, error.start) + 1
            raise AnswerError(
                f"{shown(path)}, line {line}: Python cannot read this file: it is not UTF-8. "
                "Save it as UTF-8."
            ) from None
    return compile(source, str(path), "exec")


def run(answer: Path) -> types.ModuleType:
    """Execute the file as the module `tasks` and return it.

    Raises:
        AnswerError: the file does not parse, or it stopped with an error.
    """
    module = types.ModuleType(MODULE_NAME)
    module.__file__ = str(answer)
    sys.modules[MODULE_NAME] = module
    stat = answer.stat()
    try:
        code = _compiled(answer, (stat.st_mtime_ns, stat.st_size))
        exec(code, module.__dict__)  # noqa: S102
    except SyntaxError as error:
        raise AnswerError(_about_syntax(error, answer)) from None
    except (AnswerError, KeyboardInterrupt):
        raise
    except BaseException as error:  # also sys.exit(), pytest.skip() and our own guard
        raise AnswerError(_about_import(error, answer)) from None
    return module


def check_app(module: types.ModuleType, answer: Path) -> None:
    """Make sure that the module has a Celery app under the name `app`."""
    from celery import Celery

    app = getattr(module, "app", None)
    if isinstance(app, Celery):
        return
    found = f"`app` is {type(app).__name__}, not a Celery app" if app else "there is no `app`"
    line = names_defined(answer).get("app")
    where = f"{shown(answer)}, line {line}" if line else shown(answer)
    raise AnswerError(
        f"{where}: {found}. The tests and the worker look for a line such as\n"
        f'    app = Celery("{answer.parent.name[3:]}")\n'
        "Put the line back, above the tasks."
    )


def apps_of(module: types.ModuleType) -> list[Celery]:
    """The Celery apps of the module: `app` first, and those that it should not have."""
    from celery import Celery

    # By its type: a task that nobody has asked for yet would be made by isinstance().
    found = [thing for thing in vars(module).values() if issubclass(type(thing), Celery)]
    return list(dict.fromkeys([module.app, *found]))


def _about_syntax(error: SyntaxError, answer: Path) -> str:
    where = Path(error.filename) if error.filename else answer
    at = f"{shown(where)}, line {error.lineno or 1}"
    text = f"{at}: Python cannot read this file: {_ended(error.msg)}"
    line = (error.text or "").rstrip()
    if not line:
        return text
    caret = " " * (max(error.offset or 1, 1) - 1) + "^"
    return f"{text}\n    {line}\n    {caret}"


def _about_import(error: BaseException, answer: Path) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f for f in frames if Path(f.filename).parent == answer.parent]
    at = mine[-1] if mine else traceback.FrameSummary(str(answer), 1, "<module>")
    what = f"{type(error).__name__}: {text_of(error)}".rstrip(": ")
    if isinstance(error, SystemExit):
        what = "It calls sys.exit(). A module of tasks must be importable"
    elif not isinstance(error, Exception):
        what = text_of(error)  # it is written for a reader
    where = f"{shown(at.filename)}, line {at.lineno}"
    return f"{where}: importing this file fails. {_ended(what)}\n    {at.line}"


def _ended(sentence: str) -> str:
    """The sentence with a full stop, unless it has one or a question mark."""
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


def text_of(error: BaseException) -> str:
    """The text of an error, whatever its class makes of it."""
    try:
        return str(error)
    except Exception as defect:  # it is the learner's
        return f"(its text cannot be made: {type(defect).__name__})"


def described(error: BaseException) -> str:
    """The error as Python writes it: its class and the first line of its text."""
    first = next(iter(text_of(error).splitlines()), "")
    return f"{type(error).__name__}: {first}".removesuffix(": ")


def about_missing_name(answer: Path, name: str) -> str:
    """What to tell a learner whose file does not define `name`."""
    defined = names_defined(answer)
    text = f"{shown(answer)} does not define `{name}`. The tests need that name: keep it."
    for close in difflib.get_close_matches(name, defined, n=1):
        text += f"\n    line {defined[close]}: did you mean `{name}` where it says `{close}`?"
    return text


def todo_lines(answer: Path) -> dict[int, int]:
    """Where the TODOs stand in the file: the number of each that is still there, and its line."""
    if not answer.is_file():
        return {}
    lines = answer.read_text(encoding="utf-8", errors="replace").splitlines()
    place = re.compile(r"raise NotImplementedError\(.TODO (\d+)\b|# TODO (\d+):")
    found = [
        (match, number) for number, line in enumerate(lines, 1) if (match := place.search(line))
    ]
    return {int(match[1] or match[2]): number for match, number in reversed(found)}


def place_of(kata: Kata, todo: int) -> str:
    """Where the learner works on a TODO: file, line and name, as far as they are known.

    The line is that of the gap, or else of the name that the TODO is about.
    """
    answer = file_of(kata)
    name = kata.todos[todo - 1] if 0 < todo <= len(kata.todos) else ""
    line = todo_lines(answer).get(todo) or line_of(name, answer)
    where = shown(answer) + (f", line {line}" if line else "")
    return where + (f", `{name}`" if name else "")


def gaps(answer: Path) -> set[int]:
    """The numbers of the TODOs that are still a `raise NotImplementedError` in the file."""
    if not answer.is_file():
        return set()
    source = answer.read_text(encoding="utf-8", errors="replace")
    found = re.findall(r"^ *raise NotImplementedError\(.TODO (\d+)\b", source, re.M)
    return set(map(int, found))


def todos_in(text: str) -> list[int]:
    """The numbers of the gaps that an error text names, such as 2 in "TODO 2: …"."""
    return sorted({int(number) for number in TODO.findall(text)})
