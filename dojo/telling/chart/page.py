"""The page: one HTML file that needs nothing else, no network and, to be read, no script."""

from __future__ import annotations

import base64
import hashlib
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from string import Template
from typing import TypedDict
from urllib.parse import quote

import celery

from dojo.telling.chart.drawing import Drawing, Told

SIGNATURE = '<meta name="generator" content="celery-katas">'  # a page without it is not ours
FOLDER = Path(__file__).parent
SYMBOLS = {"passed": "✓", "failed": "✕", "skipped": "○"}
#: The words for the kinds of events, where the learner reads another one in the terminal.
WORDS = {"look": "looks", "wait": "waits", "update": "updates"}
#: What stands in a JSON text but would mean something to HTML.
IN_JSON = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class Test(TypedDict):
    """A test that ran; `place` sorts the tests as they stand in their files.

    `said` is the sentence of its failure, if it failed.
    """

    name: str
    kata: str
    requirement: str
    said: str
    place: list[str | int]
    drawing: Drawing


Tests = Sequence[tuple[str, Test]]


def html(tests: Tests, outcomes: Mapping[str, str]) -> str:
    """The page of these tests.

    Args:
        tests: the id and the data of each test, in the order in which they are listed.
        outcomes: pytest's word for the outcome of each test, by id.
    """
    style, script = _asset("page.css"), _asset("drawing.js") + _asset("page.js")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}"
    return Template(_asset("page.html")).substitute(
        policy=f"{policy}; base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        versions=f"Celery {escape(celery.__version__)}, Python {platform.python_version()}",
        links="\n".join(_links(tests, outcomes)),
        sections="\n".join(_section(nodeid, test, outcomes[nodeid]) for nodeid, test in tests),
        data=_data({"words": WORDS, "tests": [_for_the_script(*test) for test in tests]}),
    )


def _asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _data(value: object) -> str:
    return json.dumps(value, separators=(",", ":")).translate(IN_JSON)


def _for_the_script(nodeid: str, test: Test) -> dict[str, object]:
    return {"id": nodeid, "requirement": test["requirement"], **test["drawing"]}


def _links(tests: Tests, outcomes: Mapping[str, str]) -> Iterable[str]:
    for kata, of_kata in groupby(tests, key=lambda test: test[1]["kata"]):
        yield f"<h2>{escape(kata)}</h2>\n<ul>"
        for nodeid, test in of_kata:
            outcome = outcomes[nodeid]
            count = len(test["drawing"]["events"]) + test["drawing"]["left_out"]
            yield (
                f'<li><a href="#{_anchor(nodeid)}">{_badge(outcome)} '
                f"{_requirement(test)} <small>{escape(test['name'])} · events: {count}</small>"
                "</a></li>"
            )
        yield "</ul>"


def _badge(outcome: str) -> str:
    return f'<span class="badge {outcome}">{SYMBOLS[outcome]} {outcome}</span>'


def _requirement(test: Test) -> str:
    """The requirement; what stands in backquotes is code."""
    parts = escape(test["requirement"]).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))


def _section(nodeid: str, test: Test, outcome: str) -> str:
    drawing = test["drawing"]
    if not drawing["events"]:
        body = "<p>No message was sent, and no task ran.</p>"
    else:
        rows = "\n".join(
            _row(nodeid, n, event, drawing) for n, event in enumerate(drawing["events"])
        )
        body = Template(_asset("table.html")).substitute(rows=rows)
    if drawing["left_out"]:
        body += f"<p>{drawing['left_out']} later events are left out.</p>"
    said = f'<p class="said">{escape(test["said"])}</p>\n' if test["said"] else ""
    return (
        f'<section id="{escape(_id(nodeid))}" tabindex="-1">\n'
        f"<h2>{_requirement(test)}</h2>\n"
        f'<p>{_badge(outcome)} <span class="where">{escape(nodeid)}</span></p>\n{said}'
        f'<div class="chart"></div>\n{body}\n</section>'
    )


def _row(nodeid: str, number: int, event: Told, drawing: Drawing) -> str:
    lane = drawing["lanes"][event["lane"]]
    where = f"{lane['name']} ({lane['detail']})" if lane["detail"] else lane["name"]
    more = "".join(
        f"<li><b>{escape(name)}</b> {escape(text)}</li>" for name, text in event["details"]
    )
    return (
        f'<tr id="{escape(_id(nodeid, number))}">'
        f'<td><a href="#{escape(_anchor(nodeid, number))}">{event["at"]:.1f}</a></td>'
        f"<td>{escape(WORDS.get(event['kind'], event['kind']))}</td>"
        f"<td><code>{escape(event['call'])}</code></td><td>{escape(where)}</td>"
        f"<td><ul>{more}</ul></td></tr>"
    )


def _id(nodeid: str, event: int | None = None) -> str:
    """The id of the place of a test, or of one of its events, in the page."""
    return f"test={nodeid}" if event is None else f"test={nodeid}&event={event}"


def _anchor(nodeid: str, event: int | None = None) -> str:
    """The same for the part of a link after the #."""
    return _id(quote(nodeid, safe="/:"), event)
