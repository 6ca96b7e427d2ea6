"""What stands in the learner's line that failed, where a signature is due."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from celery import Task
from celery.canvas import Signature

from dojo.grading.source import text_of
from dojo.telling.failure import Failure

CANVAS = {"chain", "chord", "group"}
SENDING = {"delay", "apply_async"}
MAKING = {"s", "si", "subtask", "signature"}
#: The methods of a signature that take a callback: what to call where the signature is wanted.
CALLBACKS = {"link": ".set(link=…)", "link_error": ".on_error(…)"}
WRONG_CALL = re.compile(r"TypeError: (\w+)\(\) (?:takes|missing|got)\b")
NOT_JSON = re.compile(r"Object of type (\w+) is not JSON serializable")
RESULT_ASKED = re.compile(r"AttributeError: '(?:Async|Group|Eager)Result' object has no attribute")
OPERANDS = re.compile(r"TypeError: unsupported operand type\(s\) for (\S+): '(.*?)' and '(.*?)'")


def sent_in_place(failure: Failure, _what: str) -> list[str]:
    """`chain(a.delay(1), …)` or `chain(a(1), …)`: a task is sent or run where a part is due."""
    named, operands = WRONG_CALL.match(failure.raised), OPERANDS.match(failure.raised)
    piped = operands is not None and operands[1] == "|" and "AsyncResult" in operands[3]
    names = {task.__name__ for task in failure.tasks}
    if not piped and (named is None or named[1] not in names):
        return []
    for part, last in _parts(failure):
        method, name = _method(part), _name(part)
        if last and method in SENDING:
            return [
                f"`.{method}()` belongs to the last part only, and sends it at once. Put brackets "
                f"around the whole chain: `(… | …).{method}()`."
            ]
        if name in names and (method in SENDING or not method):
            written = f"{name}.{method}" if method else name
            does = "sends" if method else "runs"
            return [
                f"`{written}(…)` {does} `{name}` here and now. A signature is due in its place: "
                f"`{name}.s(…)`."
            ]
    return []


def callback_returned(failure: Failure, _what: str) -> list[str]:
    """`add.s(1).link(other.s()).delay()`: `link` returns the callback, and that is sent."""
    if not (named := WRONG_CALL.match(failure.raised)):
        return []
    nodes = _nodes_of_file(failure)
    alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for call in _calls_in(nodes):
        method, of = _method(call), [_name(callback) for callback in call.args]
        if method in CALLBACKS and id(call) not in alone and of == [named[1]]:
            return [
                f"`.{method}(…)` returns the callback, and not the signature that it was called "
                f"on. Use `{CALLBACKS[method]}`, or call `.{method}(…)` on a line of its own."
            ]
    return []


def callback_no_signature(failure: Failure, _what: str) -> list[str]:
    """`link=ship` or `link=ship.s`: a task or a method where a signature is due."""
    found = NOT_JSON.search(failure.raised)
    names = {task.__name__ for task in failure.tasks}
    if found is None or found[1] not in {*names, "method"}:
        return []
    for method, value in _callbacks(_nodes_of_file(failure)):
        name = value.value if isinstance(value, ast.Attribute) else value
        if isinstance(name, ast.Name) and name.id in names:
            return [f"`{method}` takes a signature: `{name.id}.s()`."]
    if found[1] in names:
        return [f"`{found[1]}` is a task. Where a signature is due, write `{found[1]}.s()`."]
    return []


def asked_of_a_task(failure: Failure, _what: str) -> list[str]:
    """`total.on_error(…)`: only the signature of a task has that method."""
    error = failure.error
    if not isinstance(error, AttributeError) or not isinstance(error.obj, Task):
        return []
    if not hasattr(Signature, error.name or ""):
        return []
    name = error.obj.__name__
    return [
        f"A task has no `.{error.name}`. Its signature has: `{name}.s(…).{error.name}(…)`.",
    ]


def result_is_no_value(failure: Failure, _what: str) -> list[str]:
    """`estimate(pages) * 2`: an AsyncResult is used as if it were the value."""
    found = OPERANDS.match(failure.raised)
    if found is None or found[1] == "|" or "AsyncResult" not in found.groups()[1:]:
        return []
    return [
        "An AsyncResult stands for a value that is not there yet. Only a task that is handed the "
        "value can go on with it."
    ]


def group_hands_nothing_on(failure: Failure, _what: str) -> list[str]:
    """`group(…)(total.s())`, or a group where the tasks need each other's results."""
    named = WRONG_CALL.match(failure.raised)
    if named is None or named[1] not in {task.__name__ for task in failure.tasks}:
        return []
    for call in _calls_in(_nodes(failure)):
        if isinstance(call.func, ast.Call) and _name(call.func) == "group" and call.args:
            return ["A group hands its results to nobody. A chord does: `chord([…])(body)`."]
        parts = {_name(part) for part in call.args if isinstance(part, ast.Call)}
        if _name(call) == "group" and len(parts) > 1:
            return [
                "The tasks of a group run side by side, and none gets the result of another. "
                "In a chain each gets the result of the one before it."
            ]
    return []


def result_in_canvas(failure: Failure, _what: str) -> list[str]:
    """`chord([add.delay(1)])(…)`, `replace(add.delay(1))`: Celery was handed a result."""
    texts = [failure.raised, *(event.error or "" for event in failure.unplanned)]
    if not any(RESULT_ASKED.match(text) for text in texts):
        return []
    if failure.of_answer[-1:] == [(failure.frames[-1].filename, failure.frames[-1].lineno or 0)]:
        return []  # the learner's own line asks it
    return [
        "Celery was handed a result, and takes a signature there: `task.s(…)`, or a chain or chord "
        "that nobody has sent. With `.delay()`, and with `chord(…)(…)`, it is sent already."
    ]


# -- the line in pieces --------------------------------------------------------------------


@cache
def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def _nodes(failure: Failure) -> list[ast.AST]:
    """The nodes of the learner's function that the error came from."""
    if not failure.of_answer:
        return []
    file, line = failure.of_answer[-1]
    tree = _parsed(text_of(Path(file)))
    functions = (
        [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.lineno <= line <= (node.end_lineno or 0)
        ]
        if tree
        else []
    )
    return list(ast.walk(functions[-1])) if functions else []


def _nodes_of_file(failure: Failure) -> list[ast.AST]:
    tree = _parsed(text_of(failure.answer))
    return list(ast.walk(tree)) if tree else []


def _calls_in(nodes: list[ast.AST]) -> Iterator[ast.Call]:
    return (node for node in nodes if isinstance(node, ast.Call))


def _parts(failure: Failure) -> Iterator[tuple[ast.Call, bool]]:
    """The calls that stand where a signature is due; whether it is the last part of a `|`."""
    for node in _nodes(failure):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            sides = (node.left, node.right)
            yield from ((n, n is node.right) for n in sides if isinstance(n, ast.Call))
        of_canvas = isinstance(node, ast.Call) and _name(node) in CANVAS
        if isinstance(node, ast.Call) and (of_canvas or isinstance(node.func, ast.Call)):
            yield from ((part, False) for arg in node.args for part in _in(arg))
    callbacks = _callbacks(_nodes(failure))
    yield from ((value, False) for _, value in callbacks if isinstance(value, ast.Call))


def _in(argument: ast.expr) -> list[ast.Call]:
    """The signatures of an argument: itself, the elements of a list, those of a loop."""
    if isinstance(argument, ast.List | ast.Tuple):
        return [part for element in argument.elts for part in _in(element)]
    if isinstance(argument, ast.ListComp | ast.GeneratorExp):
        return _in(argument.elt)
    return [argument] if isinstance(argument, ast.Call) else []


def _callbacks(nodes: list[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """What is handed over as a callback: by an option, or by a method of a signature."""
    for call in _calls_in(nodes):
        for keyword in call.keywords:
            if keyword.arg in CALLBACKS:
                values = keyword.value
                every = values.elts if isinstance(values, ast.List | ast.Tuple) else [values]
                yield from ((keyword.arg, value) for value in every)
        if (method := _method(call)) in {*CALLBACKS, "on_error"} and call.args:
            yield method, call.args[0]


def _method(call: ast.expr) -> str:
    """`delay` of `add.delay(1)`; nothing of `add(1)`."""
    func = call.func if isinstance(call, ast.Call) else None
    return func.attr if isinstance(func, ast.Attribute) else ""


def _name(call: ast.expr) -> str:
    """`add` of `add(1)` and of `add.delay(1)`."""
    func = call.func if isinstance(call, ast.Call) else call
    while isinstance(func, ast.Attribute):
        func = func.value
    return func.id if isinstance(func, ast.Name) else ""
