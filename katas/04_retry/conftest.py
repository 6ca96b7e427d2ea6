"""The gateway, and words for delays that are not those that are due."""

import importlib
from datetime import datetime

import pytest

from dojo.grading.answers import AnswerError


@pytest.fixture
def gateway(kata):
    """The module `gateway` that the learner's module imports, fresh for this test."""
    try:
        kata.app.finalize()  # Celery reads the options of the tasks only here
    except TypeError as error:
        raise AnswerError(
            f"Celery cannot make the tasks: {error}.\n"
            "`autoretry_for` must be a tuple, also when it names one error: (Error,)"
        ) from None
    return importlib.import_module("gateway")


def why_other(task, delays, expected):
    """What other delays tell of their fault."""
    if not delays:
        return "No retry was sent."
    if set(delays) == {180}:
        return "180 is Celery's default: no countdown and no back-off was given."
    back_off = getattr(task, "retry_backoff", False)
    if back_off and getattr(task, "retry_jitter", True):
        return "These delays are random: jitter is on, unless `retry_jitter=False`."
    if len(delays) < len(expected) and delays == expected[: len(delays)]:
        return (
            f"These are {len(delays)} retries of {len(expected)}. `max_retries` says how many; it "
            "is 3 unless you set it."
        )
    if back_off and delays[:6] == expected[:6]:
        return "`retry_backoff_max` is the longest delay; it is 600 unless you set it."
    if delays == [2 * delay for delay in expected]:
        return "`self.request.retries` is 0 in the first run."
    return ""


@pytest.fixture
def check_delays(timeline):
    """Check the delays that the retries of one task asked for."""

    def check(task, name, task_id, expected, longest):
        first, *retries = [e for e in timeline.sent() if e.id == task_id]
        delays = [e.countdown for e in retries[: len(expected)]]
        before = "\nWhat went before must not matter." if timeline.sent()[0] is not first else ""
        assert delays == expected, (
            f"`{name}` must be retried after {expected} seconds.\n"
            f"Its retries asked for {delays} seconds.\n"
            f"{why_other(task, delays, expected)}{before}"
        )
        for retry in retries:
            if retry.expires and retry.eta:
                left = datetime.fromisoformat(retry.expires) - datetime.fromisoformat(retry.eta)
                assert left.total_seconds() > longest - retry.countdown, (
                    f"The message of `{name}` expires before its last retry may run, {longest} "
                    "seconds after the first try. A worker will throw it away."
                )

    return check
