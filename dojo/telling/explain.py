"""Turns the facts about a failure into a text for the learner, without a frame of ours.

The words themselves are rules: small functions that look at the facts and say something or
nothing. They stand in the lists below, in the order of importance.
"""

from __future__ import annotations

from collections.abc import Callable

from dojo.grading import answers
from dojo.telling.drawing import drawn
from dojo.telling.explanation import Explanation
from dojo.telling.failure import Failure, place, source
from dojo.telling.rules import (
    asides,
    calls,
    canvas,
    errors,
    machine,
    options,
    settings,
    statement,
    whole,
)
from dojo.telling.words import command, paragraphs

#: The first of these that says something says all.
WHOLE: tuple[Callable[[Failure], Explanation | None], ...] = (
    whole.file_cannot_be_graded,
    whole.not_done_yet,
    whole.name_is_missing,
    whole.no_such_time_zone,
    machine.trouble,
)
#: The first of these that says something tells what the test ended with.
INSTEAD: tuple[Callable[[Failure], str], ...] = (
    errors.hang_guard,
    errors.nothing_raised,
    errors.pytest_failure,
    errors.exit_called,
    errors.no_result,
    errors.plain_function,
    errors.signature_asked,
    errors.said_by_test,
    errors.statement_of_test,
    errors.other,
)
#: All of these that say something stand below that.
BESIDE: tuple[Callable[[Failure, str], list[str]], ...] = (
    asides.failed_in_worker,
    settings.always_eager,
    options.of_another_app,
    options.never_awaited,
    options.self_and_bind,
    options.mistyped,
    calls.name_not_imported,
    calls.options_of_delay,
    calls.args_are_no_tuple,
    calls.retry_without_exc,
    calls.retry_returned,
    calls.retry_not_sent,
    calls.one_message_for_all,
    canvas.next_signature,
    statement.sent_in_place,
    statement.callback_returned,
    statement.callback_no_signature,
    statement.asked_of_a_task,
    statement.result_is_no_value,
    statement.group_hands_nothing_on,
    statement.result_in_canvas,
    asides.result_thrown_away,
    settings.mistyped,
    settings.no_time_zone,
    settings.beside_conf,
)


def explain(failure: Failure) -> Explanation:
    """Explain why a test failed."""
    for of_all in WHOLE:
        if explanation := of_all(failure):
            return explanation
    what = next(filter(None, (instead(failure) for instead in INSTEAD)), failure.raised)
    beside = [text for rule in BESIDE for text in rule(failure, what)]
    todo, way_on = _way_on(failure, what)
    return Explanation(
        failure.requirement,
        paragraphs([what, *beside, _where(failure)]),
        timeline=_timeline(failure),
        way_on=way_on,
        todo=todo,
        cause=what,
    )


def _way_on(failure: Failure, what: str) -> tuple[int | None, str]:
    """The TODO that the failure is about, and where it stands."""
    if failure.todo is None:
        return None, ""
    # The message may name another one, or an earlier one may be missing.
    of_test = min(answers.todos_in(what), default=failure.todo)
    todo = min({of_test, *answers.gaps(failure.answer)})
    where = answers.place_of(failure.kata, todo)
    about = f"TODO {todo} comes first" if todo < of_test else f"This test is about TODO {todo}"
    hint = command("pytest", answers.shown(failure.test_file.parent), "--hint")
    return todo, f"{about}: {where}\nA hint: {hint}"


def _timeline(failure: Failure) -> str:
    drawing = drawn(failure.timeline) if failure.timeline is not None else ""
    if not drawing and failure.looks_at_celery and isinstance(failure.error, AssertionError):
        return "nothing: no message was sent and no task ran."
    return drawing


def _where(failure: Failure) -> str:
    """The lines of the learner and of the test that the error passed through.

    Of the test only the place is named if its message says it all.
    """
    last = failure.unplanned[-1:]
    told = [
        _quoted(*event.where, prefix="" if event.eager else "in the worker: ")
        for event in last
        if event.where and event.where not in failure.of_answer
    ]
    told += [_quoted(file, line) for file, line in failure.of_answer[-3:]]
    for file, line in failure.of_test[-1:]:
        said = errors.said_by_test(failure) or errors.pytest_failure(failure)
        told.append(place(file, line) if said else _quoted(file, line))
    return "\n".join(told)


def _quoted(file: str, line: int, prefix: str = "") -> str:
    return f"{prefix}{place(file, line)}:\n    {source(file, line)}"
