"""Tests of kata 15. Each docstring is one requirement."""

import contextlib
import copy
import itertools
import random
import sqlite3
from unittest.mock import Mock

import pytest
from celery import Task
from celery.result import AsyncResult

pytestmark = pytest.mark.usefixtures("naps")

NAMES = ["North", "north", "N_rth", "O'Brien", "x' OR '1'='1", "%", "Süd, Köln", "East\nWest"]
NAMES += ['the "Old" Town', "Far ", "Far", "Śląsk", "=1+1", "TOTAL"]
MONTHS = ["2027-01", "2027-02", "2028-02", "2027-04", "2027-12"]
NO_MONTHS = ["", "2027", "2027-2", "2027-00", "2027-13", "2027-20", "27-02", "2027-02-01"]
NO_MONTHS += ["2027/02", "202702", " 2027-02", "2027-02\n", "2027-02.csv", "../2027-02", "12027-02"]
UNREADABLE = ["no file", "no database", "no table"]
OTHER_ERRORS = [LookupError, OSError, TypeError, ValueError]


def some_parts(*names):
    """A part for each name, in no order. Every third one is a gap. A good one may have zeros."""
    numbers = [(0, 0), (random.randint(1, 99), 2**53 + 1), None, (2, 0), (3, -450), None]
    parts = []
    for name, number in zip(names, itertools.cycle(numbers), strict=False):
        if number:
            parts.append({"region": name, "sales": number[0], "cents": number[1]})
        else:
            parts.append({"region": name, "error": f'disk {random.randint(1, 99)}, "x", is away'})
    return random.sample(parts, len(parts))


def check_sales_of(kata, shop, region, month):
    """When the region can be read, `sales_of` does so."""
    readable = "error" not in shop.part(region, month)
    fault = readable and shop.fault("sales_of", kata.sales_of, region, month)
    assert not fault, f"TODO 1: {fault}"


def task_of(kata, name, *arguments):
    """The task of that name. One that is not written yet says which TODO it is."""
    task = getattr(kata, name)
    if not isinstance(task, Task):
        with contextlib.suppress(OSError, TypeError, LookupError, sqlite3.Error):
            task(*arguments)
        pytest.fail(f"`{name}` is a plain function. It must be a task of `app`, for a worker.")
    return task


def arguments(event, *names):
    """The arguments of a message, in this order. What else there is comes after them."""
    named = {**dict(zip(names, event.args, strict=False)), **event.kwargs}
    return [*(named.pop(name, None) for name in names), *event.args[len(names) :], *named.items()]


def error_of(result):
    """The text of the error that the caller gets, and the value if there is none."""
    try:
        return "", result.get()
    except AssertionError:  # it can never come
        raise
    except Exception as error:
        if "TODO" in str(error):  # not done yet
            raise
        return f"{type(error).__name__}: {error}", None


@pytest.mark.todo(1)
@pytest.mark.parametrize("month", MONTHS)
def test_the_sales_of_a_month(kata, shop, month):
    """`sales_of` has the rows of one region, from the first second of a month to its last."""
    shop.fill(month, NAMES)
    shop.set_regions(["Quiet"])
    other = random.choice([one for one in MONTHS if one != month])

    for region, asked in itertools.product(shop.files, (month, other)):
        fault = shop.fault("sales_of", kata.sales_of, region, asked)
        assert not fault, fault
    shop.sell("North", (f"{month}-11 12:30:00", 5))
    for by_name in (False, True):
        fault = shop.fault("sales_of", kata.sales_of, "North", month, by_name)
        assert not fault, f"There is a new row now. {fault}"


@pytest.mark.todo(1)
@pytest.mark.parametrize("how", ["all is well", *UNREADABLE])
def test_the_database_is_closed(kata, shop, how):
    """`sales_of` closes what it has opened, also when the query fails; the error goes on."""
    shop.fill("2027-02", ["North"])
    if how in UNREADABLE:
        shop.damage("North", how)
    call = "sales_of('North', '2027-02')"
    try:
        found = kata.sales_of("North", "2027-02")
    except sqlite3.Error as error:
        found = {"region": "North", "error": str(error)}
    else:
        assert how not in UNREADABLE, f"There is {how}, and {call} gave {found}. It must fail."
    part = shop.part("North", "2027-02")
    assert found == part, f"{call} gave {found}. Expected is {part}."
    shop.check_closed(call)


@pytest.mark.todo(2)
@pytest.mark.parametrize("how", ["all is well", *UNREADABLE])
def test_a_region_that_cannot_be_read_is_a_gap(kata, shop, monkeypatch, how):
    """`try_region` returns a gap for a `sqlite3.Error`. It fails with any other error."""
    task = task_of(kata, "try_region", "North", "2027-02")
    shop.fill("2027-02", ["North", "O'Brien"])
    if how in UNREADABLE:
        for name in ("South", "North"):
            shop.damage(name, how)
    for region, by_name in itertools.product(shop.files, (False, True)):
        if fault := shop.fault("try_region", task, region, "2027-02", by_name):
            check_sales_of(kata, shop, region, "2027-02")
            pytest.fail(f"There is {how}. {fault}")
    shop.check_closed("`try_region`")
    for error in OTHER_ERRORS:
        monkeypatch.setattr(sqlite3, "connect", Mock(side_effect=error("the shop is at fault")))
        with contextlib.suppress(error):
            pytest.fail(
                f"There was a {error.__name__}, and try_region('North', '2027-02') gave\n    "
                f"{task('North', '2027-02')}\nThat is no sqlite3.Error: the task must fail."
            )


@pytest.mark.todo(3)
@pytest.mark.parametrize("names", [[], ["b"], ["b", "a"], ["b", "a", "c"], NAMES], ids=len)
def test_the_report_is_written_beside_and_renamed(kata, reports, disk, ascii_machine, names):
    """`write_report` writes a new file and renames it. The same parts give the same bytes."""
    task, month = task_of(kata, "write_report", [], "2027-02"), random.choice(MONTHS)
    reports.put("1999-12", b"of another month")
    parts, more, contents = some_parts(*names), some_parts(*names, "a new one"), []
    for run, given in enumerate([parts, random.sample(parts, len(parts)), more]):
        before, call = copy.deepcopy(given), f"write_report(parts, {month!r})"
        call += f" with len(parts) == {len(given)}"

        # A message that is delivered twice has one id.
        ways = [{"kwargs": {"parts": given, "month": month}}, {"args": (given, month)}]
        with ascii_machine(call):
            path = task.apply(task_id="one", throw=True, **ways[run % 2]).get()

        contents.append(reports.check(call, month, path, before))
        reports.check_no_more(call)
        assert given == before, f"{call} has changed its list to {given}."
    assert contents[0] == contents[1], (
        f"The same parts in another order gave other bytes:\n    {contents[0][:200]}\nand\n    "
        f"{contents[1][:200]}"
    )
    disk.check_renamed(reports.path(month), contents)
    other = reports.path("1999-12")
    same = other.is_file() and other.read_bytes() == b"of another month"
    assert same, "`write_report` has changed the report of another month."


@pytest.mark.todo(3)
@pytest.mark.parametrize("trouble", ["a name that UTF-8 cannot write", "a rename that is refused"])
@pytest.mark.parametrize("older", [b"the older report", b""], ids=["older report", "no report"])
def test_a_failure_leaves_nothing_behind(kata, reports, disk, trouble, older):
    """When anything fails, `write_report` fails. The older report stays, and no other file."""
    task, path = task_of(kata, "write_report", [], "2027-02"), reports.path("2027-02")
    if older:
        reports.put("2027-02", older)
    name = f"M\ud800{random.randint(10, 99)}" if "UTF-8" in trouble else "M"
    disk.refuses = "rename" in trouble
    with contextlib.suppress(OSError, ValueError):
        gave = task(some_parts("a", "b", name, "z"), "2027-02")
        pytest.fail(f"There was {trouble}, and `write_report` gave {gave!r}. It must fail.")
    now = path.read_bytes() if path.is_file() else b""
    assert now == older, f"After {trouble} the report was {now[:80]}. Before, it was {older}."
    reports.check_no_more(f"There was {trouble}, and `write_report`")


@pytest.mark.todo(4)
@pytest.mark.parametrize("count", [0, 1, len(NAMES)])
def test_each_region_is_a_task_of_its_own(kata, shop, timeline, naps, count):
    """`sales_report` sends a message for each region, and returns at once."""
    month, names = random.choice(MONTHS), NAMES[:count]
    shop.fill(month, names)
    results = [kata.sales_report(month)]
    shop.set_regions(["a new one"])
    results += [kata.sales_report(month=month), kata.sales_report(month)]

    for result in results:
        why = f"`sales_report` must return an AsyncResult. It returned {result!r}."
        assert isinstance(result, AsyncResult), why
    assert not timeline.waits(), "`sales_report` waited for a result. It must return at once."
    assert not naps, f"`sales_report` slept for {naps} seconds."
    assert not shop.opened, "`sales_report` has opened a database. A worker must do that."
    body = None if count else getattr(kata.write_report, "name", None)  # it need not wait
    sent = [event for event in timeline.sent() if event.task != body]
    found = sorted([e.task, *arguments(e, "region", "month")] for e in sent)
    name = getattr(kata.try_region, "name", "try_region")
    regions = sorted(names * 3 + ["a new one"] * 2)
    assert found == [[name, region, month] for region in regions], (
        f"There were the regions {names}, and later one more. Three calls of `sales_report` sent "
        f"{len(found)} messages:\n    {found}\nThere must be one of `{name}` for each region and "
        f"call, with the region and the month: {len(regions)}."
    )
    ids = [event.id for event in sent] + [result.id for result in results]
    assert len({*ids}) == len(ids), "Two tasks have one id, or the result is that of a region."


@pytest.mark.todo(4)
def test_a_wrong_month_is_refused(kata, shop, timeline):
    """Whoever asks for a month that is none gets a ValueError, and nothing is sent."""
    shop.set_regions(["North"])
    for month in NO_MONTHS:
        with contextlib.suppress(ValueError):
            gave = kata.sales_report(month)
            pytest.fail(f"sales_report({month!r}) must raise a ValueError. It gave {gave!r}.")
        assert not timeline.sent(), f"sales_report({month!r}) sent {timeline.sent()[0].call}."
    for number in range(1, 13):
        month = f"{random.randint(1970, 2069)}-{number:02}"
        try:
            kata.sales_report(month)
        except ValueError as error:
            pytest.fail(f"sales_report({month!r}) raised {error!r}. This is a month.")
        assert len(timeline.sent()) == number, f"sales_report({month!r}) sent nothing."


@pytest.mark.todo(4)
def test_the_report_is_what_sql_says(kata, shop, reports, timeline, start_worker, settle, naps):
    """The result is the path of a report that says what is in the databases by then."""
    month, empty = random.choice(MONTHS), "2031-05"
    shop.fill(month, ["North", *random.sample(NAMES[1:], 2)])
    for number, how in enumerate(UNREADABLE):
        shop.damage(f"South {number}", how)
    calls = [(one, kata.sales_report(one)) for one in (month, empty, month)]
    shop.sell("North", (f"{month}-17 17:00:00", 1234))
    start_worker(concurrency=2)
    before = checked(kata, shop, reports, timeline, settle, calls)
    shop.set_regions([])  # they are in another order now
    calls.append((month, kata.sales_report(month)))

    again = checked(kata, shop, reports, timeline, settle, calls)

    assert again == before, "Nothing has been sold, and the next report has other bytes."
    assert not naps, f"A task slept for {naps} seconds."
    shop.check_closed("The tasks")
    reports.check_no_more("`sales_report`")


def checked(kata, shop, reports, timeline, settle, calls):
    """The bytes of the reports, when all is as it must be."""
    settle()
    waits = {f"`{event.task}`" for event in timeline.waits() if event.reader}
    assert not waits, f"{', '.join(waits)} is waited for by a task. A chord needs nobody to wait."
    contents = {}
    for month, result in calls:
        call = f"sales_report({month!r})"
        error, path = error_of(result)
        try:
            assert not error, f"{call} failed: {error}"
            contents[month] = reports.check(call, month, path, shop.parts(month))
        except AssertionError:
            check_earlier_todos(kata, shop, reports, month)
            raise
    ran = sorted(event.id for event in timeline.started(kata.write_report.name))
    assert ran == sorted(result.id for _, result in calls), (
        f"{len(calls)} calls of `sales_report` ran `write_report` {len(ran)} times. It must run "
        "once for each, and its result is that of the call."
    )
    ran, expected = len(timeline.started(kata.try_region.name)), len(calls) * len(shop.files)
    assert ran == expected, f"`try_region` must run {expected} times, once a region. It ran {ran}."
    return contents


def check_earlier_todos(kata, shop, reports, month):
    """They do their part when they are called."""
    for region in shop.files:
        check_sales_of(kata, shop, region, month)
        fault = shop.fault("try_region", kata.try_region, region, month)
        assert not fault, f"TODO 2: {fault}"
    call, parts = f"TODO 3: write_report(parts, {month!r})", shop.parts(month)
    reports.check(call, month, kata.write_report(parts, month), shop.parts(month))


@pytest.mark.todo(4)
def test_a_fault_of_the_shop_ends_the_report(kata, shop, reports, timeline, start_worker, settle):
    """An error that is no gap: the caller gets it, the other regions go on, and no report."""
    shop.fill("2027-02", ["North", "O'Brien", "West"])
    result = kata.sales_report("2027-02")
    shop.close_region("O'Brien")
    start_worker()
    settle()
    call = "A region is not there any more: a LookupError. sales_report('2027-02')"
    told, gave = error_of(result)
    assert told, f"{call} gave {gave!r}. The caller must get the error."
    assert "O'Brien" in told, f"{call} gave another error: {told}"
    ran = len(timeline.started(kata.try_region.name))
    assert ran == 3, f"{call} ran {ran} of 3 tasks `try_region`."
    reports.check_no_more(call)
