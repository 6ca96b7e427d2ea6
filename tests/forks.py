"""Runs pytest in processes that are forked from one that has imported what a run imports.

A run of a small kata costs half a second less than one in a new Python.
"""

from __future__ import annotations

import multiprocessing.forkserver
import multiprocessing.popen_forkserver  # here, as pytester forgets what a test imports
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from dojo.grading.proving import PRELOAD


def run_pytest(
    folder: Path, options: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path
) -> None:
    """Be `python -m pytest` in this folder, with the standard streams in files."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, str(folder))
    sys.argv = ["pytest", *options, *("-W", "ignore::pytest.PytestAssertRewriteWarning")]
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in environment
    for stream, path in ((1, output), (2, errors)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream)
    letters = environment.get("PYTHONIOENCODING", "utf-8")
    sys.stdout.reconfigure(encoding=letters)  # type: ignore[union-attr]
    sys.exit(pytest.console_main())


def forked(folder: Path, options: Sequence[str], patience: float) -> pytest.RunResult:
    """Run pytest in a folder and return what it printed.

    Args:
        patience: seconds until it is killed.

    Raises:
        TimeoutError: it was killed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    output, errors = folder / "stdout", folder / "stderr"
    arguments = (folder, options, dict(os.environ), output, errors)
    began = time.monotonic()
    process = context.Process(target=run_pytest, args=arguments)
    process.start()
    process.join(patience)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"pytest {' '.join(options)} took more than {patience} s")
    said = [file.read_text(encoding="utf-8", errors="replace") for file in (output, errors)]
    sys.stdout.write("\n".join(said))  # pytest shows it when the test outside fails
    outlines, errlines = [text.splitlines() for text in said]
    return pytest.RunResult(process.exitcode, outlines, errlines, time.monotonic() - began)
