"""Real `celery worker` processes.

A worker is executed, never forked from the test process: a fork would inherit cached
queues, connections and locks. Run as a program this module is such a worker:

    python -m dojo.running.workers FOLDER ANSWER JOURNAL --queues=mail …
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from dojo.evidence.messages import Reader
from dojo.evidence.waiting import NeverReady, Watch
from dojo.grading.answers import AnswerError
from dojo.grading.curriculum import Kata

STOP_SECONDS = 10.0  # a warm shutdown takes about 3 s; after this the worker is killed


class Worker:
    """One running worker: `name` is its node name, `pid` its process."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.pid = process.pid
        self.log = log
        self._process = process

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def terminate(self) -> int:
        """Ask for a warm shutdown, as Ctrl-C does; return the exit code.

        Raises:
            subprocess.TimeoutExpired: the worker did not end.
        """
        self._process.terminate()
        return self._process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """End the process and all its children at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


class Workers:
    """Starts workers on one answer, and ends them all."""

    def __init__(
        self, kata: Kata, answer: Path, folder: Path, watch: Watch, environment: Mapping[str, str]
    ) -> None:
        self._kata, self._answer, self._folder = kata, answer, folder
        self._watch, self._environment = watch, environment
        self._journal = folder / "timeline.jsonl"
        self._running: list[Worker] = []
        watch.timeline.follow(self._journal)

    def __call__(
        self, queues: str | None = None, concurrency: int = 1, pool: str = "prefork"
    ) -> Worker:
        """Start a worker and return when it is ready to take messages.

        Args:
            queues: the queues to read, separated by commas; None reads what the app declares.
            concurrency: how many tasks it runs at a time.
            pool: Celery's name of the pool: "prefork", "threads" or "solo".
        """
        name = f"worker{len(self._running) + 1}@kata"
        options = [f"--hostname={name}", f"--concurrency={concurrency}", f"--pool={pool}"]
        options += [f"--queues={queues}"] if queues else []
        log = self._folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "dojo.running.workers", *map(str, self._places()), *options],
                env={**self._environment, "KATAS_PARENT": str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its children can be ended with it
            )
        worker = Worker(name, process, log)
        self._running.append(worker)
        self._wait_until_ready(worker)
        read = next(e for e in self._watch.timeline.events("ready") if e.worker == name).args
        self._watch.readers.append(Reader(name, frozenset(read), concurrency, worker.alive))
        return worker

    def _places(self) -> tuple[Path, ...]:
        return (self._kata.folder, self._answer, self._journal)

    def _wait_until_ready(self, worker: Worker) -> None:
        timeline = self._watch.timeline
        while not any(e.worker == worker.name for e in timeline.events("ready")):
            if not worker.alive():
                said = _last_words(worker.log.read_text(errors="replace"))
                raise NeverReady(f"The worker stopped before it was ready. It said:\n{said}")
            timeline.wait(len(timeline), 0.02)

    def stop(self) -> None:
        """End all workers and their children. What they still had to do is not waited for."""
        for worker in self._running:
            worker.kill()


def _last_words(log: str, most: int = 6) -> str:
    """The last lines of a log, without the frames of a traceback."""
    lines = [line for line in log.splitlines() if not line.startswith((" ", "Traceback"))]
    return "\n".join(list(filter(None, lines))[-most:]) or "nothing."


def _end_with(parent: int) -> None:
    """End this worker and its children when the test run is gone, however it ended."""
    while os.getppid() == parent:
        threading.Event().wait(1)
    os.killpg(0, signal.SIGKILL)


def main(folder: str, answer: str, journal: str, *options: str) -> None:
    """Be a worker: `celery -A tasks worker`, with the recorder attached."""
    from celery.signals import worker_ready

    from dojo.evidence.recorder import Recorder
    from dojo.evidence.timeline import Event, Journal
    from dojo.grading import answers
    from dojo.running import settings

    threading.Thread(target=_end_with, args=(int(os.environ["KATAS_PARENT"]),), daemon=True).start()
    kata = Kata(Path(folder).name, Path(folder))
    sink = Journal(Path(journal))
    Recorder(sink, [answer]).attach()

    @worker_ready.connect(weak=False)
    def on_ready(sender: object, **_: object) -> None:
        queues = tuple(app.amqp.queues.consume_from)
        sink.record(Event("ready", args=queues, worker=sender.hostname))  # type: ignore[attr-defined]

    prefix, environment = os.environ["KATAS_PREFIX"], dict(os.environ)
    with settings.given(prefix), answers.imported(kata, Path(answer)) as module:
        os.environ.update(environment)  # the answer may have named another broker there
        app = module.app
        for one in answers.apps_of(module):
            settings.adapt(one, prefix)
        settings.shorten_brpop()
        app.worker_main(["worker", "--loglevel=INFO", "--without-mingle", *options])


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except AnswerError as error:
        sys.exit(str(error))
