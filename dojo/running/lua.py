"""The Lua of the embedded Redis, shut in: a script can neither reach Python nor stay behind.

fakeredis runs scripts in a Lua that knows Python's builtins, `os` and `io`. Whoever can connect
could run code as the learner. A real Redis gives a script a few harmless names, and refuses new
global ones; so do we.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from fakeredis.commands_mixins import scripting_mixin

_LUA = scripting_mixin.LUA_MODULE
#: What Lua and lupa bring along, and a script has no business with.
FORBIDDEN = (
    *("python", "os", "io", "package", "require", "module", "newproxy", "debug", "dofile"),
    *("load", "loadfile", "loadstring", "getfenv", "setfenv", "print"),
)
#: As in a real Redis: a name that a script makes global is an error, and does not stay.
NO_NEW_GLOBALS = """
    setmetatable(_G, {
        __newindex = function(_, name)
            error("Script attempted to create global variable '" .. tostring(name) .. "'", 2)
        end,
        __metatable = false,
    })
"""


def _denied(_thing: object, name: object, _setting: bool) -> Any:
    raise AttributeError(f"a script may not look at {name!r}")


def _runtime(**options: Any) -> Any:
    """A Lua runtime that knows nothing of Python."""
    return _LUA.LuaRuntime(
        register_eval=False, register_builtins=False, attribute_filter=_denied, **options
    )


@contextlib.contextmanager
def shut_in() -> Iterator[None]:
    """While this lasts fakeredis makes runtimes that know nothing of Python.

    Only the thread of the server uses the module's name for it.
    """
    names = {name: getattr(_LUA, name) for name in dir(_LUA) if name != "LuaRuntime"}
    shut: Any = SimpleNamespace(**names, LuaRuntime=_runtime)
    scripting_mixin.LUA_MODULE = shut
    try:
        yield
    finally:
        scripting_mixin.LUA_MODULE = _LUA


def close_off(runtime: Any, expected: set[Any]) -> None:
    """Take the forbidden names out of a runtime, and let no script add others.

    Args:
        expected: the global names that fakeredis knows of; it is changed.
    """
    for name in FORBIDDEN:
        runtime.globals()[name.encode()] = None
    expected.intersection_update(runtime.globals().keys())
    runtime.execute(NO_NEW_GLOBALS)
