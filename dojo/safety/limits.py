"""How many files a process may open here. A run with workers needs more than some shells allow."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

FILES = 256  # a run of some katas had 90 open at a time


def too_few_files() -> str:
    """Let this process open as many files as a run needs.

    Returns:
        What to do when it may not; "" if all is well, or on Windows, which has no such limit.
    """
    if find_spec("resource") is None:
        return ""
    resource = import_module("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= FILES:
        return ""
    if hard == resource.RLIM_INFINITY or hard >= FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
        return ""
    return (
        f"A process may open {hard} files here, and the katas need {FILES}. "
        "Before the command, perhaps in a new terminal: ulimit -n 1024"
    )
