"""The command that makes a new kata."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from dojo.__main__ import main
from dojo.grading import curriculum, new
from tests.workshop import TOLD_OUTSIDE

pytestmark = pytest.mark.timeout(300)

SLUG = "26_eta_and_expires"
TESTS = [
    "test_work_can_be_called",
    "test_work_is_a_task",
    "test_send_does_not_wait",
    "test_a_worker_does_the_work",
]
FILES = [
    f"katas/{SLUG}/README.md",
    f"katas/{SLUG}/kata.toml",
    f"katas/{SLUG}/tasks.py",
    f"katas/{SLUG}/test_eta_and_expires.py",
    f"proofs/{SLUG}.toml",
    f"solutions/{SLUG}/tasks.py",
]


HARNESS = ("__init__", "conftest", "forks", "sampling", "test_trees", "workshop")


class Checkout:
    """A copy of the repository with one kata, 01_first_task."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.folder = pytester.path
        self._pytester = pytester
        names = ["pyproject.toml", "conftest.py", "dojo", "proofs/01_first_task.toml"]
        names += [f"{tree}/01_first_task" for tree in ("katas", "solutions")]
        names += [f"tests/{name}.py" for name in HARNESS]
        for name in [*names, "tests/test_proofs.py"]:
            source, target = curriculum.ROOT / name, self.folder / name
            target.parent.mkdir(exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)

    def dojo(self, *arguments: str) -> pytest.RunResult:
        """Run `python -m dojo` in the copy."""
        return self._pytester.run(sys.executable, "-m", "dojo", *arguments, timeout=60)

    def pytest(self, *options: str) -> pytest.RunResult:
        """Run pytest in the copy."""
        return self._pytester.runpytest_subprocess("-p", "no:xdist", *options, timeout=280)

    def files(self) -> list[str]:
        """Every file of the three trees."""
        found = (path for tree in new.TREES for path in (self.folder / tree).rglob("*"))
        names = [p.relative_to(self.folder).as_posix() for p in found if p.is_file()]
        return sorted(name for name in names if "__pycache__" not in name)

    def fill_in_proofs(self) -> None:
        """Write the answers that are missing: each returns something else from `send`."""
        file = self.folder / f"proofs/{SLUG}.toml"
        wrong = '[[wrong]]\nname = "fill_in"'
        text = file.read_text(encoding="utf-8").split(wrong, 1)[0]
        for n, same in enumerate(("number + number", "number * 2", "sum([number] * 2)")):
            text += f'[[right]]\nname = "right_{n}"\nfind = "2 * number"\nreplace = "{same}"\n'
        strange = ("7", "None", "work", "work(number)", "'later'", "[]", "0", "app", "number")
        for n, answer in enumerate(strange):
            text += (
                f'[[wrong]]\nname = "wrong_{n}"\nwhy = "No AsyncResult."\n'
                f'find = "work.delay(number)"\nreplace = "{answer}"\n'
                'caught_by = ["test_send_does_not_wait"]\nsays = "must return an AsyncResult"\n'
            )
        file.write_text(text, encoding="utf-8")


@pytest.fixture
def checkout(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A copy of the repository, which `dojo.grading.new` takes for its own in this process too."""
    for name in TOLD_OUTSIDE:
        monkeypatch.delenv(name, raising=False)
    checkout = Checkout(pytester)
    monkeypatch.setattr(curriculum, "ROOT", checkout.folder)
    return checkout


def test_it_makes_all_files(checkout: Checkout) -> None:
    """`new` makes every file of a kata, says which, and changes nothing else."""
    before = checkout.files()
    result = checkout.dojo("new", SLUG)
    assert result.ret == 0
    assert sorted(set(checkout.files()) - set(before)) == FILES
    assert sorted(line.strip() for line in result.outlines[1 : 1 + len(FILES)]) == FILES


@pytest.mark.usefixtures("checkout")
def test_what_the_map_shows() -> None:
    """The title comes from the name, and the part from the kata before."""
    assert main(["new", SLUG]) == 0
    kata, before = curriculum.kata(SLUG), curriculum.kata("01_first_task")
    assert kata.title == "Eta and expires"
    assert kata.part == before.part != ""
    assert "FILL IN" in kata.job
    assert kata.lacks is None
    readme = (kata.folder / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# 26 · Eta and expires\n")
    for number in (1, 2):
        assert readme.count(f"<summary>TODO {number}, ") == 3


def test_the_stub_is_red_and_the_solution_passes(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every test of the new kata fails on its stub, and passes on its solution."""
    assert main(["new", SLUG]) == 0
    result = checkout.pytest(f"katas/{SLUG}", "--all")
    result.assert_outcomes(failed=len(TESTS))
    for name, says in {
        "test_work_can_be_called": "    Not done yet: TODO 1, in *",
        "test_work_is_a_task": "    `work` is not a task of `app`.",
        "test_send_does_not_wait": "    Not done yet: TODO 2, in *",
        "test_a_worker_does_the_work": "    Not done yet: TODO 2, in *",
    }.items():
        result.stdout.fnmatch_lines_random([f"_* {name} _*", says])
    result.stdout.fnmatch_lines([f"*{SLUG}*TODO 1, TODO 2*"])

    monkeypatch.setenv("SOLUTIONS", "1")
    result = checkout.pytest(f"katas/{SLUG}")
    result.assert_outcomes(passed=len(TESTS))


def test_the_proofs_fail_until_they_are_filled_in(checkout: Checkout) -> None:
    """The trees are whole at once; the proofs say what is missing, until it is there."""
    assert main(["new", SLUG]) == 0
    result = checkout.pytest("tests/test_trees.py", "-k", "not left_to_fill_in")
    assert result.ret == pytest.ExitCode.OK
    result = checkout.pytest("tests/test_trees.py", "-k", f"left_to_fill_in and {SLUG}")
    result.assert_outcomes(failed=1)

    options = ["tests/test_proofs.py", "-k", SLUG]
    result = checkout.pytest(*options, "-rf")
    result.assert_outcomes(passed=4, failed=2)  # stub, solution, right and wrong; fill in, count
    result.stdout.fnmatch_lines_random(
        [
            "E *there is no test FILL IN: the tests that must fail",
            f"E *proofs/{SLUG}.toml has * wrong answers of 10*",
            f"FAILED *test_enough_answers_are_proven[[]{SLUG}[]]*",
        ]
    )

    checkout.fill_in_proofs()
    result = checkout.pytest(*options)
    result.assert_outcomes(passed=17)  # stub, solution, 4 right ones, 10 wrong ones, count
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    "slug",
    [
        "eta",
        "26",
        "26_",
        "6_eta",
        "126_eta",
        "26-eta",
        "26_Eta",
        "26_eta__x",
        "26_eta_",
        "26_eta.py",
        "26_3d",
        "26_étage",
        "٢٦_eta",
        "26_eta\n",
        "../26_eta",
        "26_eta/x",
        "",
    ],
)
def test_a_bad_name(checkout: Checkout, capsys: pytest.CaptureFixture[str], slug: str) -> None:
    """A name that is not NN_words is refused in one line, and nothing is made."""
    before = checkout.files()
    assert main(["new", slug]) == 2
    assert one_line(capsys).startswith(f"{slug!r} is not a name for a kata: ")
    assert checkout.files() == before


@pytest.mark.parametrize(
    ("there", "slug", "says"),
    [
        ("katas/01_first_task", "01_first_task", "The number 01 is taken: see katas/01_first_task"),
        ("katas/01_first_task", "01_other", "The number 01 is taken: see katas/01_first_task"),
        ("katas/01_first_task", "26_first_task", "The name first_task is taken: see katas/01_f"),
        ("solutions/26_left", "26_other", "The number 26 is taken: see solutions/26_left"),
        ("proofs/27_left.toml", "26_left", "The name left is taken: see proofs/27_left.toml"),
    ],
)
def test_a_taken_name(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], there: str, slug: str, says: str
) -> None:
    """A number or a name that any tree has is refused in one line, and nothing is made."""
    (checkout.folder / there).mkdir(exist_ok=True)
    before = checkout.files()
    assert main(["new", slug]) == 2
    assert one_line(capsys).startswith(says)
    assert checkout.files() == before


def test_a_half_made_kata_is_taken_back(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a file cannot be written, those before it are taken back."""
    before = sorted(checkout.folder.rglob("*"))
    files = {**new.PLACES, "proofs.toml": "proofs/no_such_folder/deeper/{slug}.toml"}
    monkeypatch.setattr(new, "PLACES", files)
    assert main(["new", SLUG]) == 2
    assert one_line(capsys).startswith(f"{SLUG} cannot be made: ")
    assert sorted(checkout.folder.rglob("*")) == before


@pytest.mark.usefixtures("checkout")
def test_nothing_is_overwritten() -> None:
    """A file that somebody makes meanwhile is kept, and the kata is taken back."""
    texts = new.filled("26", "eta_and_expires")
    mine = list(texts)[-1]
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError):
        new.write(texts)
    assert mine.read_text(encoding="utf-8") == "mine"
    assert not any(path.exists() for path in texts if path != mine)


def test_it_needs_the_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only the package is installed, it says so in one line."""
    monkeypatch.setattr(curriculum, "ROOT", tmp_path)
    assert main(["new", SLUG]) == 2
    assert one_line(capsys).startswith("A new kata needs the whole repository: ")
    assert list(tmp_path.iterdir()) == []


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line that was written, on the standard error."""
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1
    return str(lines[0])
