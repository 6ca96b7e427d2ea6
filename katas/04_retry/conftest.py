"""The gateway."""

import importlib

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
