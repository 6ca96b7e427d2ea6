"""Keeps the process as it was: what the learner's code does to it ends with the test.

The test, the learner's code and the embedded workers share one process. What would end a
worker only, somewhere else, would end the whole run here.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import json
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import celery.backends.base
import kombu.messaging
import pytest
from celery import _state, signals
from celery.app.amqp import AMQP
from celery.utils.dispatch import Signal
from kombu.exceptions import EncodeError
from kombu.serialization import registry
from kombu.utils import json as kombus_json

PYTESTS_OWN = "PYTEST_CURRENT_TEST"  # a variable that changes in each test
MODULES = (builtins, json, logging, os, os.path, random, signal, socket, threading, time)
DEADLY = ("_exit", "abort", "execv", "execve", "fork", "kill", "killpg")
MOST_PRINTED = 100_000  # characters of one stream in one test
MOST_LOGGED = 1_000_000  # characters in one test
#: `logging.getLogger(__name__)` in the answer, and the parent of what `get_task_logger` gives.
LEARNERS_LOGGERS = ("tasks", "celery.task")
WOULD_END = "is called. It would end the whole worker, with all its tasks, or double it."
MOST_SENT = 16_000_000  # bytes of one message, or of one result
TOO_BIG = "are too much for a message or a result. Store them in a file, and send its name"
SENDS = (
    "It sends {}. Every worker imports this file, and would send that again: "
    "send tasks from a function"
)
LEFT_OUT = "\n… and more: what else this test prints is left out …\n"


@dataclass
class Heard:
    """What was written to sys.stderr, and what the answer logged, as texts in their order."""

    stderr: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


@contextlib.contextmanager
def sheltered(answer: Path, heard: Heard) -> Iterator[None]:
    """While this lasts the answer cannot end the process, or change it for good, or flood it.

    What pytest captures of the error stream holds the log of Celery's workers, too. So what the
    answer says there is put into `heard`.
    """
    with contextlib.ExitStack() as stack:
        for keep in (_namespaces_kept, _place_kept, _signals_kept):
            stack.enter_context(keep())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in DEADLY:
            if hasattr(os, name):
                patch.setattr(os, name, _refusing(name, str(answer)))
        stack.enter_context(_recursion_limited())
        stack.enter_context(_output_limited(sys.stdout))
        stack.enter_context(_output_limited(sys.stderr, heard.stderr))
        stack.enter_context(_logging_limited(str(answer), heard.log))
        for module in (celery.backends.base, kombu.messaging):
            patch.setattr(module, "dumps", _small_enough(module.dumps))
        yield


@contextlib.contextmanager
def celery_untouched() -> Iterator[None]:
    """Undo what a module of tasks leaves in Celery's globals.

    They are: apps, shared tasks, signals, and in kombu the serializers and the types of its JSON.
    """
    known = [s for s in vars(signals).values() if isinstance(s, Signal)]
    receivers = [list(signal.receivers) for signal in known]
    finalizers = set(_state._on_app_finalizers)
    default, current = _state.default_app, _state._tls.current_app
    blocks = _state.task_join_will_block()
    try:
        with _serializers_kept():
            yield
    finally:
        for signal, saved in zip(known, receivers, strict=True):
            signal.receivers[:] = saved
            signal.sender_receivers_cache.clear()
        _state._on_app_finalizers = finalizers
        _state.default_app, _state._tls.current_app = default, current
        _state._set_task_join_will_block(blocks)


@contextlib.contextmanager
def _serializers_kept() -> Iterator[None]:
    """Undo what `register_type` and `register` have noted, and a `default` put on an encoder."""
    types: list[dict[Any, Any]] = [kombus_json._encoders, kombus_json._decoders]
    encoders = [(cls, cls.default) for cls in (json.JSONEncoder, kombus_json.JSONEncoder)]
    known, kept = [dict(found) for found in types], copy.deepcopy(vars(registry))
    try:
        yield
    finally:
        for found, saved in zip(types, known, strict=True):
            found.clear()
            found.update(saved)
        vars(registry).update(kept)
        for cls, default in encoders:
            cls.default = default  # type: ignore[method-assign]


@contextlib.contextmanager
def _namespaces_kept() -> Iterator[None]:
    """Undo what is assigned to names of the modules that everybody uses."""
    before = [(module, dict(vars(module))) for module in MODULES]
    try:
        yield
    finally:
        for module, names in before:
            now = vars(module)
            for name in [n for n, value in names.items() if now.get(n, now) is not value]:
                now[name] = names[name]


@contextlib.contextmanager
def _place_kept() -> Iterator[None]:
    """Undo changes of the working directory and of the environment."""
    folder, before = Path.cwd(), dict(os.environ)
    try:
        yield
    finally:
        os.chdir(folder)
        now = dict(os.environ)
        before[PYTESTS_OWN] = now.get(PYTESTS_OWN, "")
        if now != before:
            os.environ.clear()
            os.environ.update(before)


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Undo changes of the signal handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python changes handlers in its main thread only
        return
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _refusing(name: str, file: str) -> Callable[..., Any]:
    """The function `name` of `os`, which the code in `file` may not call on this process."""
    real = getattr(os, name)

    def refuse_or_call(*args: Any) -> Any:
        ours = name not in ("kill", "killpg") or (args[0] in (0, -1, os.getpid()) and args[1] != 0)
        if ours and sys._getframe(1).f_code.co_filename == file:
            raise RuntimeError(f"os.{name}() {WOULD_END}")
        return real(*args)

    return refuse_or_call


@contextlib.contextmanager
def sending_refused() -> Iterator[None]:
    """While this lasts nobody can send a task. It is for the import of the answer."""
    make, lasts = AMQP.as_task_v2, True

    def as_task_v2(amqp: AMQP, task_id: str, name: str, *args: Any, **options: Any) -> Any:
        if lasts:  # the app keeps this function
            raise RuntimeError(SENDS.format(name))
        return make(amqp, task_id, name, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AMQP, "as_task_v2", as_task_v2)
        try:
            yield
        finally:
            lasts = False


@contextlib.contextmanager
def _recursion_limited() -> Iterator[None]:
    """Let nobody raise the limit: a deep recursion would end the process."""
    limit, change = sys.getrecursionlimit(), sys.setrecursionlimit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "setrecursionlimit", lambda wanted: change(min(wanted, limit)))
        try:
            yield
        finally:
            change(limit)


@contextlib.contextmanager
def _output_limited(stream: TextIO | None, heard: list[str] | None = None) -> Iterator[None]:
    """Cut what is printed, keep the stream open, and put what it gets into `heard`."""
    if stream is None:
        yield
        return
    left = MOST_PRINTED
    write = stream.write

    def write_some(text: str) -> int:
        nonlocal left
        if left > 0:
            kept = text[:left] + (LEFT_OUT if len(text) > left else "")
            write(kept)
            if heard is not None:
                heard.append(kept)
        left -= len(text)
        return len(text)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("write", write_some), ("close", lambda: None)):
            patch.setitem(vars(stream), name, value)
        yield


def _small_enough(dumps: Callable[..., Any]) -> Callable[..., Any]:
    """The maker of messages and results, made to refuse what Redis is not for."""

    def dumps_some(*args: Any, **options: Any) -> Any:
        content_type, encoding, payload = dumps(*args, **options)
        if len(payload) > MOST_SENT:
            raise EncodeError(f"{len(payload) / 1e6:.0f} MB {TOO_BIG}")
        return content_type, encoding, payload

    return dumps_some


def _text_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # `logger.info("%d", "one")`
        return f"{record.msg} ({type(error).__name__}: {error})"


@contextlib.contextmanager
def _logging_limited(file: str, heard: list[str]) -> Iterator[None]:
    """Put what the code in `file` logs into `heard`; drop what is too much."""
    left = MOST_LOGGED
    loggers = [logging.getLogger(name) for name in LEARNERS_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    handle = logging.Logger.handle

    def handle_some(logger: logging.Logger, record: logging.LogRecord) -> None:
        nonlocal left
        left -= len(str(record.msg)) + 100
        if left > 0:
            if record.pathname == file:
                heard.append(f"{record.levelname} {_text_of(record)}\n")
            handle(logger, record)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.Logger, "handle", handle_some)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
