"""Where things stand in a file of Python, also in one that does not parse."""

from __future__ import annotations

import ast
import re
from pathlib import Path


def text_of(file: Path) -> str:
    """The text of a file; nothing if there is none."""
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def names_defined(file: Path) -> dict[str, int]:
    """The functions and variables at the top level of the file, and their lines."""
    source = text_of(file)
    found = re.finditer(r"^(?:(?:async )?def (\w+)|(\w+)\s*(?::.*)?=)", source, re.M)
    return {m[1] or m[2]: source.count("\n", 0, m.start()) + 1 for m in found}


def line_of(name: str, file: Path) -> int | None:
    """The line that defines a name or sets it, or else the first one with that word."""
    lines = text_of(file).splitlines() if name else []
    defined = rf"(?:async )?(?:def|class) {name}\b"
    assigned = rf"(?:\w+\.)*{name}\b.*?[^=!<>]=[^=]"
    for pattern in (defined, assigned, rf".*\b{name}\b"):
        for number, line in enumerate(lines, 1):
            if re.match(pattern, line):
                return number
    return None


def function_at(file: Path, line: int) -> str:
    """The name of the innermost function at a line; nothing if there is none, or no parsing."""
    try:
        tree = ast.parse(text_of(file))
    except (SyntaxError, ValueError):
        return ""
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return functions[-1].name if functions else ""
