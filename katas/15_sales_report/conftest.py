"""The databases of the shop, the folder of its reports, and what was done to both."""

import contextlib
import csv
import functools
import io
import json
import locale
import os
import pathlib
import random
import sqlite3
import sys
import tempfile
from datetime import datetime, timedelta

import pytest

TABLE = "CREATE TABLE IF NOT EXISTS sales (region TEXT, sold_at TEXT, cents INTEGER)"
ASKED = """
    SELECT count(*), sum(cents) FROM sales WHERE region = ? AND strftime('%Y-%m', sold_at) = ?
"""


def exact(part):
    """A text that tells 5 from 5.0. The order of keys is free."""
    return repr(sorted(part.items()) if isinstance(part, dict) else part)


class Shop:
    """Real databases in a folder.

    `opened` has the connections that were opened since then; each knows whether it is `closed`.
    """

    def __init__(self, folder):
        self.folder, self.opened, self.files = folder, [], {}
        self.set_regions([])

    def set_regions(self, names, file="main.db"):
        """Add regions. The order of all of them is another one each time."""
        self.files |= dict.fromkeys(names, file)
        items = random.sample(sorted(self.files.items()), len(self.files))
        (self.folder / "regions.json").write_text(json.dumps(dict(items)), encoding="utf-8")

    def close_region(self, name):
        """The region is not there any more."""
        del self.files[name]
        self.set_regions([])

    def sell(self, region, *rows):
        """Add rows to the database of a region: a time and the cents of each."""
        rows = [(region, *row) for row in rows]
        with contextlib.closing(connect(self.folder / self.files[region])) as database, database:
            database.execute(TABLE)
            database.executemany("INSERT INTO sales VALUES (?, ?, ?)", rows)

    def damage(self, region, how):
        """Give a region a database of its own that cannot be read."""
        file = f"{how} {len(self.files)}.db"
        self.set_regions([region], file)
        if how != "no file":
            text = b"Closed on Monday.\n" * 99 if how == "no database" else b""
            (self.folder / file).write_bytes(text)

    def part(self, region, month):
        """What SQL says of a region, in the words of the stub."""
        uri = f"{(self.folder / self.files[region]).as_uri()}?mode=ro"
        try:
            with contextlib.closing(connect(uri, uri=True)) as database:
                count, cents = database.execute(ASKED, (region, month)).fetchone()
        except sqlite3.Error as error:
            return {"region": region, "error": str(error)}
        return {"region": region, "sales": count, "cents": cents or 0}

    def parts(self, month):
        """What SQL says of all regions."""
        return [self.part(region, month) for region in self.files]

    def fill(self, month, names):
        """Sell in each region: in this month, at its first and last second and near them."""
        first, second, day = (
            datetime.fromisoformat(f"{month}-01"),
            timedelta(seconds=1),
            timedelta(1),
        )
        then = (first + 31 * day).replace(day=1)
        times = [first - second, first, first + second, first + day, first + 13 * day]
        times += [then - day, then - second, then, first - 365 * day, then + 365 * day]
        self.set_regions(names)
        for name in names:
            cents = [random.choice([random.randint(-500, 9000), 2**53 + 1]) for _ in times]
            self.sell(name, *zip(map(str, times), cents, strict=True))

    def fault(self, name, function, region, month, by_name=False):
        """What is wrong, if the function does not return the part of this region."""
        call, part = f"{name}({region!r}, {month!r})", self.part(region, month)
        try:
            found = function(region=region, month=month) if by_name else function(region, month)
        except NotImplementedError:
            raise
        except Exception as error:
            return f"{call} failed: {type(error).__name__}: {error}\nIt must be\n    {part}"
        return exact(found) != exact(part) and f"{call} gave\n    {found}\nIt must be\n    {part}"

    def check_closed(self, who):
        left = [connection for connection in self.opened if not connection.closed]
        assert not left, (
            f"{who} has opened {len(self.opened)} connections, and {len(left)} are not closed. A "
            "`with` around a connection ends a transaction: it does not close it."
        )


connect = sqlite3.connect  # as it is without a test


@pytest.fixture(autouse=True)
def shop(tmp_path, monkeypatch):
    """See `Shop`. The module reads the name of the folder when it is imported."""
    folder = tmp_path / "databases"
    folder.mkdir()
    shop = Shop(folder)

    class Connection(sqlite3.Connection):
        closed = False

        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            shop.opened.append(self)

        def close(self):
            self.closed = True
            super().close()

    def noted(*args, **options):
        return connect(*args, factory=Connection, **options)

    monkeypatch.setenv("SALES", str(folder))
    monkeypatch.setattr(sqlite3, "connect", noted)
    return shop


HEADER = ["region", "sales", "cents", "error"]


def rows_of(parts):
    """What the report of these parts must say."""
    good = [part for part in parts if "error" not in part]
    rows = [[str(part.get(name, "")) for name in HEADER] for part in parts]
    sums = [str(sum(part[name] for part in good)) for name in ("sales", "cents")]
    end = ["TOTAL", *sums, "incomplete" if len(good) < len(parts) else ""]
    return [HEADER, *sorted(rows), end]


class Reports:
    """The folder of the reports, and one for temporary files. `known` files may be there."""

    def __init__(self, folder, elsewhere):
        self.folder, self.elsewhere, self.known = folder, elsewhere, set()

    def path(self, month):
        return self.folder / f"sales-{month}.csv"

    def put(self, month, content):  # a report of an earlier day
        self.known.add(self.path(month).name)
        self.path(month).write_bytes(content)

    def check(self, call, month, path, parts):
        """The report is there, and it is right. What its bytes are."""
        expected = self.path(month)
        assert isinstance(path, str), f"{call} gave {path!r}. It must give the path, as a text."
        here = pathlib.Path(path) == expected
        assert here, f"{call} gave\n    {path[:200]}\nIt must be\n    {expected}"
        assert expected.is_file(), f"{call} must write\n    {expected}\nIt is not there."
        content = expected.read_bytes()
        try:
            rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
        except UnicodeDecodeError as error:
            pytest.fail(f"{call} wrote a file that is not UTF-8: {error}")
        wanted = rows_of(parts)
        rows += [None] * (len(wanted) - len(rows))
        wanted += [None] * (len(rows) - len(wanted))
        for number, (row, other) in enumerate(zip(rows, wanted, strict=True), 1):
            assert row == other, (
                f"{call}: row {number} of the report is\n    {row}\nIt must be\n    {other}"
            )
        self.known.add(expected.name)
        return content

    def check_no_more(self, call):
        """There is no file but those that may be there."""
        files = [file.name for place in (self.folder, self.elsewhere) for file in place.rglob("*")]
        more = sorted({*files} - self.known)
        assert not more, f"{call} has left this behind: {', '.join(more)}"


@pytest.fixture(autouse=True)
def reports(tmp_path, monkeypatch):
    """See `Reports`. The module reads the name of the folder when it is imported."""
    folders = tmp_path / "reports", tmp_path / "temporary"
    for folder in folders:
        folder.mkdir()
    monkeypatch.setenv("REPORTS", str(folders[0]))
    monkeypatch.setattr(tempfile, "tempdir", str(folders[1]))
    return Reports(*folders)


@pytest.fixture
def ascii_machine():
    """`with ascii_machine(call)`: a file is opened in ASCII, when nothing else is asked for."""

    @contextlib.contextmanager
    def machine(call):
        before = locale.setlocale(locale.LC_CTYPE)
        locale.setlocale(locale.LC_CTYPE, "C")
        try:
            yield
        except UnicodeEncodeError as error:
            pytest.fail(f"{call}: {error}\nThe report is in UTF-8, whatever this machine prefers.")
        finally:
            locale.setlocale(locale.LC_CTYPE, before)

    return machine


class Disk:
    """What was done to files since then, by any means of Python.

    `written` and `removed` are paths. `renamed` has the old path, the new one, and the bytes of
    the file at that moment. While `refuses` is set, a rename is an error.
    """

    def __init__(self):
        self.written, self.removed, self.renamed, self.refuses = [], [], [], False

    def hear(self, event, args):
        if event == "open" and not isinstance(args[0], int):
            if args[2] & (os.O_WRONLY | os.O_RDWR):
                self.written.append(plain(args[0]))
        elif event == "os.remove":
            self.removed.append(plain(args[0]))
        elif event == "os.rename":
            if self.refuses:
                raise PermissionError("the report is open in another program")
            path = pathlib.Path(plain(args[0]))
            content = path.read_bytes() if path.is_file() else b""
            self.renamed.append((str(path), plain(args[1]), content))

    def check_renamed(self, path, contents):
        """Each run has written one new file, and renamed it to `path` when it was complete."""
        place = str(path)
        assert place not in self.written, (
            "`write_report` opens the report itself for writing. Whoever reads it at that moment "
            "sees half of it. Write another file beside it, and rename that."
        )
        assert place not in self.removed, "The older report is deleted before the new one is there."
        moves = [move for move in self.renamed if move[1] == place]
        assert len(moves) == len(contents), (
            f"In {len(contents)} runs a file was renamed to the report {len(moves)} times."
        )
        for (source, _, content), complete in zip(moves, contents, strict=True):
            assert pathlib.Path(source).parent == path.parent, (
                f"The new file was\n    {source}\nand was renamed to\n    {place}\nIt must be "
                "beside the report, in FOLDER: from disk to disk no rename is a single step."
            )
            assert content == complete, (
                f"The file was renamed when {len(content)} of {len(complete)} bytes were in it. "
                "The last ones are written when it is closed."
            )
        sources = {pathlib.Path(move[0]).name for move in moves}
        assert len(sources) == len(contents), (
            f"{len(contents)} runs wrote into {', '.join(sources)}. At the same moment they would "
            "write into one file. Each run needs a name that no other run uses. (A message may be "
            "delivered twice: then two runs have one task id.)"
        )


def plain(path):
    return os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - no link is followed


listening = []  # a `Disk`, while there is one


@functools.cache
def listen():  # Python keeps an audit hook for ever, so there is one
    def hook(event, args):
        if listening and event in ("open", "os.remove", "os.rename"):
            listening[-1].hear(event, args)

    sys.addaudithook(hook)


@pytest.fixture
def disk(kata):  # noqa: ARG001 - what is done before counts for nothing
    """See `Disk`."""
    listen()
    listening.append(Disk())
    yield listening[-1]
    listening.clear()
