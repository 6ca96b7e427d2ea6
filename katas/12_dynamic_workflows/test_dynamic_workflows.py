"""Tests of kata 12. Each docstring is one requirement."""

import contextlib
import random
from collections import Counter

import pytest
from celery import Task, chain, chord

pytestmark = pytest.mark.usefixtures("naps")

TODOS = {"print_book": 1, "reprint": 2}
EACH = [pytest.param(name, marks=pytest.mark.todo(n)) for name, n in TODOS.items()]


def task_of(kata, name):
    """The task of that name. One that is not written yet says which TODO it is."""
    found = getattr(kata, name)
    if not isinstance(found, Task):
        pages = [[1]] * (name == "reprint")
        with contextlib.suppress(AttributeError, LookupError, TypeError):
            found(1, *pages)
        pytest.fail(f"`{name}` is a plain function. It must be a task of `app`, for a worker.")
    return found


def a_job(name, books, count):
    """Arguments for the task of that name, and the `count` pages that it must print."""
    book_id = max(books, default=random.randint(10, 99)) + random.randint(1, 9)
    if name == "print_book":
        books[book_id] = count
        return (book_id,), [(book_id, page) for page in range(1, count + 1)]
    books[book_id] = count + 2
    only = random.sample(range(1, count + 3), count)
    return (book_id, only), [(book_id, page) for page in only]


def shown(name, args):
    return f"{name}({', '.join(map(repr, args))})"


def check_nobody_waited(name, timeline):
    """No task waited for a result, and none tried to."""
    readers = {wait.reader for wait in timeline.waits()}
    refused = {e.id for e in timeline.failed() if "result.get() within a task" in e.error}
    who = sorted({e.task for e in timeline.started() if e.id in readers | refused})
    assert not who, (
        f"`{who[0]}` waits for the result of another task. So it keeps its place in the worker, "
        "and the other task needs a place, too. With one place neither can go on, for ever."
        f"{' Celery refuses it.' * bool(refused)}\n`{name}` can replace itself with a chord: "
        "`self.replace(…)`."
    )


def check_pages(call, press, pages, name, about=""):
    """Each of these pages was printed once, by a task of its own, and not by the task `name`."""
    own = task_of(press.kata, name).name
    tasks = {by for by in press.by if by and by[0] != own}
    assert len(tasks) == len(press.runs), (
        f"{call} printed {len(press.runs)} pages in {len(tasks)} tasks of their own. Each page "
        "needs a task of its own, with an id of its own: send `print_page`, and do not call it."
    )
    missing, more = Counter(pages) - Counter(press.runs), Counter(press.runs) - Counter(pages)
    assert missing == more, (
        f"{about}{call} must print {pages}, each a book and a page. It printed {press.runs}.\n"
        f"Not printed: {sorted(missing.elements())}. Too many: {sorted(more.elements())}."
    )


def check_done(press, timeline, name, done, about=""):
    """All is as it must be. `done` are the calls so far: arguments, result, pages."""
    check_nobody_waited(name, timeline)
    calls = " and ".join(shown(name, args) for args, _, _ in done)
    if press.runs:  # where no page was printed the result says more
        check_pages(calls, press, [page for _, _, pages in done for page in pages], name, about)
    for args, result, _ in done:
        ended = [*timeline.succeeded(), *timeline.failed()]
        both = sorted(e.task for e in ended if e.id == result.id)
        why = press.why_twice(both)
        both = " and ".join(both[:2]) if len(both) > 1 else ""
        assert not both, f"{both} have the same id, and both a result, or an error.\n{why}"
        press.value_of(shown(name, args), result)
    for args, result, pages in done:
        press.check_total(shown(name, args), result, pages)


@pytest.mark.parametrize("name", EACH)
def test_the_catalogue_is_asked_when_the_task_runs(
    kata, press, books, timeline, start_worker, settle, name
):
    """A call sends one message. How many pages there are is found out when the task runs."""
    task, book_id = task_of(kata, name), random.randint(10, 99)
    assert press.as_given, "`print_page` and `total_ink` are given. Leave them as they are."
    only = [4, 1, 5, 3] if name == "reprint" else [1, 2, 3, 4, 5]
    args = (book_id, only) if name == "reprint" else (book_id,)
    books[book_id] = 5

    first = task.delay(*args)

    sent = [e.call for e in timeline.sent()]
    assert len(sent) == 1, f"{name}.delay(…) must send one message. It sent {sent}."
    books[book_id] = 3
    start_worker()
    settle()
    done = [(args, first, [(book_id, page) for page in only if page <= 3])]
    about = "The book had 5 pages when the task was sent, and 3 when it ran. "
    check_done(press, timeline, name, done, about)
    books[book_id] = 4
    done.append((args, task.delay(*args), [(book_id, page) for page in only if page <= 4]))
    settle()
    check_done(press, timeline, name, done, f"{about}Then it had 4. ")


@pytest.mark.parametrize("name", EACH)
def test_nobody_waits(kata, press, books, timeline, start_worker, settle, naps, name):
    """One place in the worker is enough: no task waits for another, asks for it or sleeps."""
    start_worker(concurrency=1)
    args, _ = a_job(name, books, 3)

    task_of(kata, name).delay(*args)
    settle()

    check_nobody_waited(name, timeline)
    assert not naps, f"`{name}`, or a task of it, slept for {naps} seconds."
    again = ", ".join({f"`{e.task}`" for e in timeline.retried()})
    assert not again, f"{again} runs again and again. `{name}` can replace itself with the chord."


@pytest.mark.parametrize("count", [0, 1, 7])
@pytest.mark.parametrize("name", EACH)
def test_the_id_of_the_call_has_the_total(
    kata, press, books, timeline, start_worker, settle, name, count
):
    """Whoever calls the task gets an id, and finds there the total of all pages, once printed."""
    task = task_of(kata, name)
    jobs = [a_job(name, books, number) for number in (count, 2)]
    jobs.append(jobs[0])
    by_name = [dict(zip(("book_id", "only"), args, strict=False)) for args, _ in jobs]

    results = [task.delay(**kwargs) for kwargs in by_name]

    start_worker()
    settle()
    done = [(args, result, pages) for (args, pages), result in zip(jobs, results, strict=True)]
    check_done(press, timeline, name, done)
    lists = sorted(sorted(press.ink(*page) for page in pages) for _, pages in jobs if pages)
    handed = sorted(sorted(amounts) for amounts in press.totals if amounts)
    assert handed == lists, f"`total_ink` must be handed {lists}. It was handed {handed}."


@pytest.mark.parametrize("name", EACH)
def test_pages_are_printed_side_by_side(kata, press, books, timeline, start_worker, settle, name):
    """All pages of a book are sent before the first is done: any number of workers can help."""
    start_worker()
    args, pages = a_job(name, books, 4)

    result = task_of(kata, name).delay(*args)
    settle()

    check_done(press, timeline, name, [(args, result, pages)])
    ids = {by[1] for by in press.by}
    sent = [e for e in timeline.sent() if e.id in ids]
    ended = [e for e in timeline.succeeded() if e.id in ids]
    assert timeline.in_order(sent, ended), (
        "A page was sent only when another one was done. A chord sends them all at once."
    )


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("count", [0, 1, 4])
def test_callbacks_are_called_once(
    kata, press, books, shop, timeline, start_worker, settle, name, count
):
    """A callback that is linked to a call is called once, after the pages, with the total."""
    start_worker()
    args, pages = a_job(name, books, count)
    task, call = task_of(kata, name), f"{name}.apply_async({args}, link=…, link_error=…)"

    result = task.apply_async(args, link=shop.tell.s(), link_error=[shop.report.s()])
    settle()

    check_done(press, timeline, name, [(args, result, pages)])
    total = press.total(pages)
    called = f"was called with {shop.told}" if shop.told else "was not called"
    assert shop.told == [total], (
        f"{call}: the callback {called}. It must be called once, with {total}. `self.replace(…)` "
        "hands the callbacks on."
    )
    assert not shop.failures, f"{call}: the error callback was called, for {shop.failures}."
    task.delay(*args)
    settle()
    assert len(shop.told) == 1, (
        f"{call}: a call without callbacks came after it, and its callback was called again. Who "
        "makes a signature once, for all calls? Each call needs its own."
    )


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("fault", ["its only page", "one page of four", "the catalogue"])
def test_an_error_reaches_the_caller(
    kata, press, books, shop, timeline, start_worker, settle, name, fault
):
    """When a page or the catalogue fails, the caller gets the error, and the callback for it."""
    start_worker()
    args, pages = a_job(name, books, 4 if "four" in fault else 1)
    text = f"page of {random.randint(10, 99)} g is torn"
    press.errors[random.choice(pages)] = RuntimeError(text)
    call = f"In {shown(name, args)} {fault} fails, and"
    if fault == "the catalogue":
        del books[args[0]]
        text, pages = f"there is no book {args[0]}", []

    task = task_of(kata, name)
    result = task.apply_async(args, link=[shop.tell.s()], link_error=shop.report.s())
    settle()

    check_nobody_waited(name, timeline)
    check_pages(call, press, pages, name)
    why = f"{call} `total_ink` ran all the same. `catalogue.pages_of` raises: let its error pass."
    assert not press.totals or pages, why
    assert not press.totals, f"{call} `total_ink` was called with {press.totals}."
    assert not shop.told, f"{call} the callback for success was called, with {shop.told}."
    again = f"{call} a task is to run again, later. Let the error pass."
    assert shop.failures or not timeline.retried(), again
    called = f"was called with {shop.failures}" if shop.failures else "was not called"
    assert len(shop.failures) == 1, (
        f"{call} the error callback {called}. It must be called once. `self.replace(…)` hands it "
        "on."
    )
    with pytest.raises(Exception) as caught:  # a ChordError, or the page's own
        result.get()
    for error in (str(caught.value), *shop.failures):
        assert text in error, f"{call} this must be told: {text!r}. Told was {error!r}."
    task.delay(*args)
    settle()
    assert len(shop.failures) == 1, (
        f"{call} then came a call without callbacks, and one was called. Each call needs a "
        "signature of its own."
    )


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("count", [0, 3])
def test_it_can_be_a_step_of_a_workflow(
    kata, press, books, shop, timeline, start_worker, settle, name, count
):
    """In a chain the next step is handed the total, and in a chord the body."""
    start_worker()
    task, jobs = task_of(kata, name), [a_job(name, books, number) for number in (count, 2)]
    totals = [press.total(pages) for _, pages in jobs]
    steps = [task.s(*args) for args, _ in jobs]
    calls = [shown(name, args) for args, _ in jobs]

    chain(steps[0].clone(), shop.tell.s()).delay()
    settle()
    check_nobody_waited(name, timeline)
    told = f"`tell` was called with {shop.told}. It must be called once, with"
    assert shop.told == [totals[0]], f"chain({calls[0]}, tell): {told} {totals[0]}."

    shop.told.clear()
    chord(steps)(shop.tell.s())
    settle()
    told = f"`tell` was called with {shop.told}. It must be called once, with"
    assert shop.told == [totals], f"chord([{', '.join(calls)}])(tell): {told} {totals}."


@pytest.mark.todo(2)
@pytest.mark.parametrize("only", [[4], [2, 5, 2], [6, 1, 7, 0, -1, 3], [99, 6, 6]])
def test_reprint_prints_what_is_asked(kata, press, books, timeline, start_worker, settle, only):
    """`reprint` prints the numbers that the book has, as often as they stand in the list."""
    start_worker()
    book_id = random.randint(10, 99)
    books[book_id] = 6

    result = task_of(kata, "reprint").delay(book_id, only)
    settle()

    pages = [(book_id, page) for page in only if page in range(1, 7)]
    check_done(press, timeline, "reprint", [((book_id, only), result, pages)])


@pytest.mark.todo(2)
@pytest.mark.parametrize(("count", "only"), [(6, []), (6, [7, 0, -6]), (0, [1])])
def test_nothing_is_left_to_print(kata, press, books, timeline, start_worker, settle, count, only):
    """When no page is left, the result of `reprint` is 0, and no other task is run."""
    start_worker()
    book_id = random.randint(10, 99)
    books[book_id] = count

    result = task_of(kata, "reprint").delay(book_id, only)
    settle()

    call = f"The book has {count} pages. {shown('reprint', (book_id, only))}"
    value = result.get()
    assert (value, type(value)) == (0, int), f"{call} gave {value!r}. It must be 0."
    others = [e.call for e in timeline.started()[1:]]
    assert not others, f"{call} ran {others}. There is nothing to do: no other task must run."
