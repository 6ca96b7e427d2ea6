"""The page of `--timeline`: what is on it, and that a browser draws it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest

from dojo.evidence.timeline import Event
from dojo.telling.chart import collecting
from dojo.telling.chart.drawing import MOST_EVENTS, drawn
from dojo.telling.chart.page import SIGNATURE
from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
    --disable-background-networking --disable-component-update --virtual-time-budget=5000
    --dump-dom"""
LOADING = ("src", "srcset", "href", "xlink:href", "data", "poster", "action")
HOSTILE = "</script><img src=x onerror=alert(1)>"
NODEID = "katas/99_sample/test_sample.py::test_outer"
TESTS = f'''
    import pytest

    def test_add(kata, eager):
        """`add` adds <b>up</b>."""
        assert kata.add.delay("{HOSTILE}", "").get() == 3

    def test_outer(kata, celery_worker, settle):
        """`outer` sends `add`."""
        kata.outer.delay("{HOSTILE}")
        settle()
'''
OUTER = (
    TASKS
    + '''

@app.task
def outer(x):
    """Send `add`, and fail."""
    add.delay(x, "?")
    raise ValueError("no <img> here")
'''
)


class Elements(HTMLParser):
    """The elements of a page, as (name, attributes), and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of_class(self, name: str) -> list[dict[str, str]]:
        """The attributes of the elements of this class."""
        return [a for _, a in self.found if name in a.get("class", "").split()]


@pytest.fixture
def page(workshop: Workshop) -> Path:
    """The page of two tests, of which the first one fails."""
    workshop.kata(TESTS, OUTER)
    result = workshop.run("--timeline=page.html")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["timeline: *page.html (tests: 2)"])
    return workshop.folder / "page.html"


def data_of(page: Path) -> list[dict[str, Any]]:
    """What the page hands its script for each test."""
    found = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert found
    tests: list[dict[str, Any]] = json.loads(found[1])["tests"]
    return tests


def test_the_page_has_each_test_to_be_read_without_a_script(page: Path) -> None:
    """Tests, outcomes, requirements and all events stand in the page itself."""
    text = page.read_text(encoding="utf-8")
    assert text.index("✕ failed") < text.index("✓ passed")
    assert "<code>add</code> adds &lt;b&gt;up&lt;/b&gt;." in text
    ids = [a.get("id", "") for tag, a in Elements(text).found if tag == "tr"]
    of_outer = [row for row in ids if row.startswith(f"test={NODEID}&event=")]
    assert len(of_outer) == len(data_of(page)[1]["events"]) >= 10
    assert "ValueError: no <img> here" in unescape(text)


def test_the_page_needs_nothing_else(page: Path) -> None:
    """It loads nothing, and its policy lets nothing be loaded and no other script be run."""
    text = page.read_text(encoding="utf-8")
    found = Elements(text).found
    links = [(tag, value) for tag, a in found for name, value in a.items() if name in LOADING]
    assert links
    assert all(tag == "a" and value.startswith("#") for tag, value in links)
    policy = next(a["content"] for _, a in found if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; ")
    for what, tag in {"style": "<style>", "script": '<script type="module">'}.items():
        (source,) = re.findall(f"{tag}(.*?)</{what}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{what}-src 'sha256-{digest}'" in policy
    assert not re.findall(r"url\(|@import|\bimport\b|fetch|XMLHttpRequest", text)


def test_what_learners_write_stays_text(page: Path) -> None:
    """No argument, error or name of theirs becomes a part of the page."""
    text = page.read_text(encoding="utf-8")
    tags = [tag for tag, _ in Elements(text).found]
    assert "img" not in tags
    assert "<b>up" not in text
    assert tags.count("script") == 2
    assert any(HOSTILE in event["call"] for test in data_of(page) for event in test["events"])


def test_in_two_processes(workshop: Workshop) -> None:
    """With pytest-xdist all tests are on one page, in the order of their files."""
    workshop.kata(TESTS, OUTER)
    workshop.other_kata()
    workshop.run("-n", "2", "--timeline=page.html").assert_outcomes(passed=2, failed=1)
    tests = data_of(workshop.folder / "page.html")
    assert [test["id"][-5:] for test in tests] == ["other", "t_add", "outer"]
    assert all(test["events"] for test in tests)


def test_arguments_that_cannot_be_shown(workshop: Workshop) -> None:
    """A task is named also when the repr() of its argument raises or tells half a character."""
    workshop.kata(
        """
        class Bad:
            def __repr__(self):
                raise RuntimeError("no repr")

        def test_it(kata, eager):
            kata.fail.apply((Bad(),), throw=False)
        """,
        TASKS + '\n\n@app.task\ndef fail(x):\n    raise ValueError("half: \\ud800 \\u202e")\n',
    )
    workshop.passes(1, "--timeline=page.html", "-n", "1")
    (test,) = data_of(workshop.folder / "page.html")
    assert test["events"][0]["call"] == "tasks.fail(…)"
    assert ["error", r"ValueError: half: \ud800 \u202e"] in test["events"][1]["details"]


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("none/page.html", "there is no folder *none."),
        ("katas", "this is a folder; name a file in it."),
        ("conftest.py/page.html", "there is no folder *conftest.py."),
        ("", "name a file, as in --timeline=chart.html."),
        ("katas/98_other/tasks.py", "this file is there, and it is no chart; name another one."),
    ],
)
def test_a_bad_target_ends_the_run_before_it_begins(
    workshop: Workshop, target: str, problem: str
) -> None:
    """One line says what is wrong, and the exit code is that of a wrong command."""
    workshop.other_kata()
    result = workshop.run(f"--timeline={target}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.outlines if line] == []
    assert len([line for line in result.errlines if line]) == 1
    result.stderr.fnmatch_lines([f"ERROR: --timeline={target}: {problem}"])


def test_the_sentence_of_a_failure(workshop: Workshop) -> None:
    """A test that failed is shown with the sentence that the learner reads in the terminal."""
    workshop.kata("def test_it(kata, eager): assert kata.add(1, 1) == 3, 'one <b>and</b> one'")
    workshop.run("--timeline=page.html")
    text = (workshop.folder / "page.html").read_text(encoding="utf-8")
    assert '<p class="said">one &lt;b&gt;and&lt;/b&gt; one</p>' in text


def test_a_folder_that_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is the system's own."""
    refuse = mock.Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(pytest.UsageError, match=r"^--timeline=x\.html: Permission denied\.$"):
        collecting.check(tmp_path / "x.html", "x.html")


OLDER = f"{SIGNATURE} of an earlier run"


def test_an_older_page_stays_until_the_new_one_is_there(workshop: Workshop) -> None:
    """A run without a test, and a page that cannot be written to its end, take nothing away."""
    workshop.other_kata()
    page = workshop.write("page.html", OLDER)
    page.chmod(0o640)
    result = workshop.run("--timeline=page.html", "-k", "nothing")
    result.stdout.fnmatch_lines(["timeline: no kata ran to its end, so *page.html was not written"])
    files = set(workshop.folder.iterdir())
    with pytest.raises(UnicodeEncodeError):
        collecting.write(page, "half a character: \ud800")
    assert page.read_text(encoding="utf-8") == OLDER
    assert set(workshop.folder.iterdir()) == files
    workshop.passes(1, "--timeline=page.html")
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert page.stat().st_mode & 0o777 == 0o640


def event(kind: str, at: float, task: str = "a", thread: str = "one", **more: Any) -> Event:
    """An event, in a thread of the worker w@x, at so many milliseconds."""
    given: dict[str, Any] = {"worker": "w@x", "pid": 7, "published": True, **more}
    return Event(kind, "tasks.t", task, at=at / 1000, thread=thread, **given)


def test_lanes_bars_and_arrows() -> None:
    """A lane for the caller and for each thread; a retry comes from the run before it."""
    picture = drawn(
        [
            event("sent", 0, thread="main", worker=None),
            event("received", 1, thread="consumer"),
            event("started", 2),
            event("sent", 3, retries=1, parent_id="p"),
            event("retried", 4),
            event("finished", 5),
            event("started", 6, thread="two", retries=1),
            event("rejected", 7, "b", "consumer", worker=None),
        ]
    )
    lanes = [f"{lane['name']} {lane['detail']}" for lane in picture["lanes"]]
    assert lanes == ["caller ", "w@x consumer: takes messages", "w@x one", "w@x two"]
    assert picture["events"][-1]["lane"] == 1
    shapes = [item["shape"] for item in picture["items"]]
    assert shapes == ["sent", "received", "bar", "sent", "bar", "rejected"]
    bars = [(item["outcome"], item["end"]) for item in picture["items"] if item["shape"] == "bar"]
    assert bars == [("retried", 5.0), ("started", None)]
    arrows = [(arrow["kind"], arrow["source"], arrow["target"]) for arrow in picture["arrows"]]
    assert arrows == [("message", 0, 2), ("child", 2, 3), ("message", 3, 4)]


def test_a_killed_process_and_tasks_within_tasks() -> None:
    """A task whose process died ends when the worker says so; nested ones have their own row."""
    picture = drawn(
        [
            event("started", 0),
            event("started", 1, "b", eager=True, parent_id="a"),
            event("succeeded", 2, "b", eager=True),
            event("finished", 2, "b", eager=True),
            event("failed", 3, pid=8, error="WorkerLostError"),
        ]
    )
    bars = [(item["outcome"], item["end"], item["row"]) for item in picture["items"]]
    assert bars == [("failed", 3.0, 0), ("succeeded", 2.0, 1)]
    assert picture["arrows"] == [{"kind": "child", "source": 0, "target": 1}]


def test_a_wild_test_is_cut() -> None:
    """Events that are too many for a page are counted."""
    picture = drawn([event("sent", n, str(n)) for n in range(MOST_EVENTS + 5)])
    assert len(picture["events"]) == MOST_EVENTS
    assert picture["left_out"] == 5


def browse(page: Path, fragment: str, profile: Path) -> Elements:
    """What the browser makes of the page."""
    assert BROWSER
    options = [*QUIET.split(), f"--user-data-dir={profile}", f"{page.as_uri()}#{fragment}"]
    result = subprocess.run(
        [BROWSER, *options], capture_output=True, encoding="utf-8", timeout=120, check=True
    )
    return Elements(result.stdout)


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium, and finds none")
def test_a_browser_draws_the_chart(page: Path, tmp_path: Path) -> None:
    """It shows the test and the event of the address, and else the first test that failed."""
    test = data_of(page)[1]
    kinds = [event["kind"] for event in test["events"]]
    address = f"test={quote(NODEID)}&event={kinds.index('failed')}"
    chosen = browse(page, address, tmp_path / "first")
    assert len(chosen.of_class("lane")) == len(test["lanes"]) == 2
    assert len(chosen.of_class("item")) >= len(test["items"])  # and those of the legend
    assert len(chosen.of_class("bar")) == kinds.count("started") == 2
    assert len(chosen.of_class("arrow")) >= len(test["arrows"]) == 3
    (pressed,) = [a for a in chosen.of_class("item") if a.get("aria-pressed") == "true"]
    assert "failed" in pressed["class"]
    panel = chosen.text.rpartition("failed: tasks.outer(")[2]
    assert panel.startswith(f"'{HOSTILE}'")
    assert "errorValueError: no <img> here" in panel
    assert "queuecelery" in panel  # from its message
    assert "img" not in [tag for tag, _ in chosen.found]
    shown = [a["id"] for tag, a in chosen.found if tag == "section" and "hidden" not in a]
    assert shown == [f"test={NODEID}"]

    plain = browse(page, "", tmp_path / "second")
    (current,) = [a["href"] for _, a in plain.found if "aria-current" in a]
    assert current.endswith("::test_add")
    assert len(plain.of_class("bar")) == 1
