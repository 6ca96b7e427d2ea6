"""15 · The monthly report: the reference solution."""

import contextlib
import csv
import os
import pathlib
import re
import sqlite3
import tempfile
import uuid

import sales
from celery import Celery, chord

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
    # A name such as O'Brien would end a text in SQL: values go beside it, not into it. The sum
    # of no rows is NULL.
    query = """
        SELECT count(*), coalesce(sum(cents), 0) FROM sales
        WHERE region = ? AND substr(sold_at, 1, 7) = ?
    """
    # `with connection:` would end a transaction. It would not close anything.
    with contextlib.closing(sales.connect(region)) as connection:
        count, cents = connection.execute(query, (region, month)).fetchone()
    return {"region": region, "sales": count, "cents": cents}


@app.task
def try_region(region, month):
    """One part of the report: what `sales_of` returns, or a gap.

        {"region": "South", "error": "unable to open database file"}

    It is a gap when the database cannot be read, and that is a `sqlite3.Error`. "error" is its
    text. Any other error is a fault of the shop, and the task fails with it.
    """
    # A header task that fails would take the report of all regions with it.
    try:
        return sales_of(region, month)
    except sqlite3.Error as error:
        return {"region": region, "error": str(error)}


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
    read = [part for part in parts if "error" not in part]
    total = {
        "region": "TOTAL",
        "sales": sum(part["sales"] for part in read),
        "cents": sum(part["cents"] for part in read),
        "error": "incomplete" if len(read) < len(parts) else "",
    }
    path = FOLDER / f"sales-{month}.csv"
    # Beside the report: a rename is one step only on the same disk.
    beside = FOLDER / f"{path.name}.{uuid.uuid4().hex}"
    try:
        # newline="" leaves the ends of lines to csv, so they are the same on each system.
        with beside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["region", "sales", "cents", "error"])
            writer.writeheader()
            writer.writerows(sorted(parts, key=lambda part: part["region"]))
            writer.writerow(total)
        # After the `with`: only now all of it is in the file.
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return str(path)


def sales_report(month):
    """Let workers write the report of a month. Return the AsyncResult at once, without waiting.

    There is a task `try_region` for each region that `sales.regions` knows, side by side. Then
    `write_report` runs once, and the result is its path. Only workers open the databases.

    A month is written with four digits, a hyphen, and 01 to 12. For any other text a
    ValueError is raised, and nothing is sent.
    """
    # Here, and not in a task: whoever has made the mistake hears of it at once.
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
        raise ValueError(f"no month: {month!r}")
    # The body is handed the list first, and then the arguments of its signature.
    header = [try_region.s(region, month) for region in sales.regions()]
    return chord(header)(write_report.s(month))
