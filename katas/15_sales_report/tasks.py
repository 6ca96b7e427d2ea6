"""15 · The monthly report. See README.md in this folder."""

import os
import pathlib
import tempfile

import sales  # noqa: F401 - for your part
from celery import Celery

app = Celery("sales_report")

FOLDER = pathlib.Path(os.environ.get("REPORTS", tempfile.gettempdir()))  # of all reports


# Your part. A month is a text such as "2027-02".


def sales_of(region, month):
    """The sales of a region in a month, as its database has them now. A plain function:

        {"region": "North", "sales": 2, "cents": 4180}

    "sales" is how many rows there are, and "cents" is their sum. Both are 0 when there is none.
    The month has its first second and its last one: 00:00:00 and 23:59:59.

    `sales.connect` opens the database. It is closed at the end, also when the query fails. An
    error is not caught here.
    """
    raise NotImplementedError("TODO 1: ask the database of the region, and close it")


@app.task
def try_region(region, month):
    """One part of the report: what `sales_of` returns, or a gap.

        {"region": "South", "error": "unable to open database file"}

    It is a gap when the database cannot be read, and that is a `sqlite3.Error`. "error" is its
    text. Any other error is a fault of the shop, and the task fails with it.
    """
    raise NotImplementedError("TODO 2: a region that cannot be read is data, and no failure")


@app.task
def write_report(parts, month):
    """Write the report of a month. Return its path, as a text.

    `parts` is a list of what `try_region` returns, in any order. The file in FOLDER is named
    `sales-2027-02.csv`. It is CSV in UTF-8, with a row for each region, sorted by name as Python
    sorts texts, and a last row for all regions that could be read:

        region,sales,cents,error
        North,2,4180,
        South,,,unable to open database file
        TOTAL,2,4180,incomplete

    "incomplete" stands there only if there is a gap. A name is written as it is. It may hold a
    comma, a quotation mark or a newline: the module `csv` knows how. The same parts in any
    order give the same bytes.

    People may open the report at any time, and two workers may write the same one at the same
    moment. So the text is written into a new file in FOLDER, with a name that no other run
    uses. When it is complete it is renamed, and so takes the place of an older report. Nobody
    ever sees half a report, or none where there was one. When anything fails, the task fails,
    the older report is as it was, and the new file is gone.
    """
    raise NotImplementedError("TODO 3: write beside the report, and rename")


def sales_report(month):
    """Let workers write the report of a month. Return the AsyncResult at once, without waiting.

    There is a task `try_region` for each region that `sales.regions` knows, side by side. Then
    `write_report` runs once, and the result is its path. Only workers open the databases.

    A month is written with four digits, a hyphen, and 01 to 12. For any other text a
    ValueError is raised, and nothing is sent.
    """
    raise NotImplementedError("TODO 4: check the month, and send a chord")
