"""The sales of the shop, given. They are rows in SQLite databases, and each has this table:

    CREATE TABLE sales (region TEXT, sold_at TEXT, cents INTEGER)

`sold_at` is a time such as '2027-02-28 23:59:59', always in this form. `cents` is the price in
whole cents. It is negative when a customer got money back.
"""

import json
import os
import pathlib
import sqlite3

FOLDER = pathlib.Path(os.environ.get("SALES", "."))


def databases():
    """The regions, and the file of each, such as {"North": "main.db", "South": "south.db"}."""
    return json.loads((FOLDER / "regions.json").read_text(encoding="utf-8"))


def regions():
    """The names of all regions, each once, in no order."""
    return list(databases())


def connect(region):
    """Open the database that has the sales of a region, for reading.

    Most regions share one database, and some have their own. Who opens it must close it.
    """
    files = databases()
    if region not in files:
        raise LookupError(f"there is no region {region!r}")
    path = (FOLDER / files[region]).absolute()
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
