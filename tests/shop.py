"""Four katas with the answers of a learner who is half way through."""

from __future__ import annotations

import pytest

from tests.workshop import TASKS, Workshop

#: Two tests, for TODO 1 and TODO 2; the answers below pass none, one or both.
TWO = '''
    import pytest

    @pytest.mark.todo(1)
    def test_first(kata, eager):
        """The first requirement."""
        assert kata.first() == 1

    @pytest.mark.todo(2)
    def test_second(kata, eager):
        """The second requirement."""
        assert kata.second() == 2
'''
STUB = (
    TASKS
    + """

def first():
    raise NotImplementedError("TODO 1: begin")


def second():
    raise NotImplementedError("TODO 2: go on")
"""
)
HALF = STUB.replace('raise NotImplementedError("TODO 1: begin")', "return 1")
WHOLE = HALF.replace('raise NotImplementedError("TODO 2: go on")', "return 2")
LINE = STUB.splitlines().index('    raise NotImplementedError("TODO 2: go on")') + 1
README = """\
# 02 · Half

<details><summary>TODO 2, first hint</summary>

What [number](https://example.org/two) is it?
</details>
<details><summary>TODO 2, second hint</summary>

It is even.
</details>
<details><summary>TODO 2, third hint</summary>

It is prime, too.
</details>
"""


def built(workshop: Workshop) -> Workshop:
    """Four katas in two parts: one is done, one half done, one not begun, one needs more."""
    for slug, part, tasks in (
        ("01_done", "1 · Foundations", WHOLE),
        ("02_half", "1 · Foundations", HALF),
        ("03_stub", "2 · Workflows", STUB),
        ("04_new", "2 · Workflows", STUB),
    ):
        workshop.kata(TWO, tasks, slug)
        about = f'part = "{part}"\ntitle = "{slug[3:].title()}"\njob = "count to two"\n'
        needs = 'needs = "celery>=99"\n' if slug == "04_new" else ""
        workshop.write(f"katas/{slug}/kata.toml", about + needs)
        workshop.write(f"katas/{slug}/README.md", README)
        workshop.write(f"solutions/{slug}/tasks.py", WHOLE.replace("return 2", "return 1 + 1"))
    return workshop


def the_map(result: pytest.RunResult) -> list[str]:
    """The lines of the map, without pytest's last one."""
    start = next(n for n, line in enumerate(result.outlines) if "- katas -" in line)
    return [line for line in result.outlines[start + 1 :] if not line.startswith(("=", "!"))]
