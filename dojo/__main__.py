"""The command line of the katas: `python -m dojo celery 05_routing worker`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from dojo.grading import new
from dojo.grading.answers import AnswerError
from dojo.running import playground

#: Each module gives one command by its function `add_to(subparsers)`. That sets `run` on its
#: parser: a function that takes the parsed arguments and returns the exit code.
COMMANDS = (playground, new)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m dojo", description="Tools for the katas.")
    subparsers = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add_to(subparsers)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except AnswerError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
