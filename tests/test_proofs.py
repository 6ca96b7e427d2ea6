"""Every kata is proven: its tests tell right answers from wrong ones, and say why.

A wrong answer is run by the tests that must catch it. With `--whole` all tests run on it: no
other one may end in a time-out, and a failure here says which ones caught it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dojo.grading.curriculum import Kata, katas
from dojo.grading.proofs import Answer, answers_to
from dojo.grading.proving import Prover, Verdict

ANSWERS = [answer for kata in katas() for answer in answers_to(kata)]


def of_kind(*kinds: str) -> pytest.MarkDecorator:
    chosen = [
        pytest.param(
            a,
            id=a.id,
            marks=[
                pytest.mark.xdist_group(a.kata.slug),
                pytest.mark.skipif(a.kata.lacks is not None, reason=f"needs {a.kata.lacks}"),
            ],
        )
        for a in ANSWERS
        if a.kind in kinds
    ]
    return pytest.mark.parametrize("answer", chosen)


@pytest.fixture(scope="module")
def prover(request: pytest.FixtureRequest) -> Iterator[Prover]:
    """Grades all chosen answers side by side while the first ones are looked at."""
    workers = getattr(request.config, "workerinput", None)
    whole = request.config.getoption("whole")
    with Prover(side_by_side=1 if workers else None, whole=whole) as prover:
        if not workers:
            chosen = [getattr(item, "callspec", None) for item in request.session.items]
            prover.start(
                spec.params["answer"] for spec in chosen if spec and "answer" in spec.params
            )
        yield prover


def told(verdicts: list[Verdict]) -> str:
    return "\n\n".join(f"{v.test}: {v.outcome}\n{v.text}" for v in verdicts)


@pytest.mark.timeout(600)
@of_kind("stub")
def test_every_test_fails_on_the_stub(prover: Prover, answer: Answer) -> None:
    """Each test of the kata fails on the stub, and none of them by the hang guard."""
    verdicts = prover.verdicts(answer)
    assert verdicts
    assert [v.test for v in verdicts if v.outcome != "failed"] == []
    assert [v.test for v in verdicts if v.timed_out] == []


@pytest.mark.timeout(600)
@of_kind("solution", "right")
def test_right_answers_pass(prover: Prover, answer: Answer) -> None:
    """The reference and every other right answer pass every test."""
    verdicts = prover.verdicts(answer)
    assert verdicts
    assert all(v.outcome == "passed" for v in verdicts), told(
        [v for v in verdicts if v.outcome != "passed"]
    )


@pytest.mark.timeout(600)
@of_kind("wrong")
def test_wrong_answers_are_caught(prover: Prover, answer: Answer) -> None:
    """A wrong answer fails the tests that speak of it, and they say what is wrong."""
    verdicts = prover.verdicts(answer)
    assert [v.test for v in verdicts if v.timed_out] == []
    for name in answer.caught_by:
        named = [
            v for v in verdicts if v.test in (name, f"{name}[") or v.test.startswith(f"{name}[")
        ]
        assert named, f"there is no test {name}"
        caught = [v for v in named if v.outcome == "failed"]
        others = told([v for v in verdicts if v.outcome == "failed"])
        assert caught, f"{name} accepts it. These tests do not (--whole runs all):\n{others}"
        assert any(answer.says in v.text for v in caught), told(caught)


@pytest.mark.parametrize("kata", katas(), ids=lambda kata: kata.slug)
def test_enough_answers_are_proven(kata: Kata) -> None:
    """Each kata has at least 10 wrong and 4 right answers beside the reference."""
    kinds = [answer.kind for answer in ANSWERS if answer.kata == kata]
    for kind, least in (("wrong", 10), ("right", 4)):
        count = kinds.count(kind)
        assert count >= least, f"proofs/{kata.slug}.toml has {count} {kind} answers of {least}"
