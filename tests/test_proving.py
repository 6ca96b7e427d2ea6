"""What the runner of the proofs runs."""

from __future__ import annotations

import pytest

from dojo.grading.curriculum import katas
from dojo.grading.proofs import Answer, answers_to
from dojo.grading.proving import Prover

KATA = katas()[0]


def a_wrong_one() -> Answer:
    """One that one test must catch."""
    wrong = (answer for answer in answers_to(KATA) if answer.kind == "wrong")
    return next(answer for answer in wrong if len(answer.caught_by) == 1)


@pytest.mark.timeout(600)
def test_a_wrong_answer_meets_the_tests_that_must_catch_it() -> None:
    """A wrong answer is run by those tests alone, unless all are asked for."""
    answer = a_wrong_one()
    with Prover(side_by_side=1) as prover:
        chosen = {verdict.test.split("[")[0] for verdict in prover.verdicts(answer)}
    assert chosen == set(answer.caught_by)
    with Prover(side_by_side=1, whole=True) as prover:
        ran = {verdict.test.split("[")[0] for verdict in prover.verdicts(answer)}
    assert ran > chosen


@pytest.mark.timeout(600)
def test_a_right_answer_meets_all_tests() -> None:
    """No test is left out for a right answer."""
    right = next(answer for answer in answers_to(KATA) if answer.kind == "right")
    with Prover(side_by_side=1) as prover:
        some = prover.verdicts(right)
    with Prover(side_by_side=1, whole=True) as prover:
        assert [v.test for v in prover.verdicts(right)] == [v.test for v in some]
