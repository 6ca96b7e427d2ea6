"""What the runner of the proofs runs."""

from __future__ import annotations

import pytest

from dojo.grading.curriculum import katas
from dojo.grading.proofs import Answer, answers_to
from dojo.grading.proving import Prover
from tests.sampling import SHARE, is_run

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


def test_a_gate_runs_all_proofs_of_a_touched_kata() -> None:
    """Whatever the commit chooses of the others."""
    assert all(is_run(answer, {KATA.slug}, "a commit") for answer in answers_to(KATA))


def test_a_gate_runs_a_share_of_the_other_proofs() -> None:
    """Stub and reference always, and in the course of the commits every proof."""
    every = answers_to(KATA)
    shares = [{a.name for a in every if is_run(a, (), f"commit {n}")} for n in range(SHARE * 12)]
    assert all({"stub", "solution"} <= share for share in shares)
    assert set.union(*shares) == {answer.name for answer in every}
    assert sum(map(len, shares)) < len(shares) * len(every) / 2
