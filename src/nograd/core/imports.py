"""Imports an object of the user's code that is named as `module:function`."""

import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from nograd.core.text import nearest
from nograd.core.types import ConfigError


def import_object(spec: str, what: str, known: Iterable[str] = ()) -> Any:
    """The object `function` of `module` for the text `module:function`.

    A module in the current folder is found before an installed one of the same name.

    Args:
        spec: the text `module:function`.
        what: what the object is, for errors: "the model".
        known: other words that the setting accepts, for a "did you mean" in the error.
    """
    module, _, name = spec.partition(":")
    if module.endswith(".py") or "/" in module:
        raise ConfigError(
            f"cannot import {what} {spec!r}: it names a file; write {_as_module(module)}:{name or 'function'}"
        )
    try:
        with _here_first():
            found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        near = nearest(module, known)
        remedy = f"did you mean {' or '.join(near)}?" if near else "write module:function"
        raise ConfigError(f"cannot import {what} {spec!r}: {error}; {remedy}") from error
    except (Exception, SystemExit) as error:  # raised by the user's module
        raise ConfigError(f"cannot import {what} {spec!r}: {described(error)}") from error
    if not callable(found):
        raise ConfigError(f"{what} {spec!r} is {type(found).__name__}, not a function")
    return found


@contextmanager
def _here_first() -> Iterator[None]:
    """A context in which Python looks for modules in the current folder first; afterwards it looks there last.

    If it stayed first, a file there such as `random.py` would replace the module of that name for every library.
    """
    here = os.getcwd()  # noqa: PTH109
    sys.path.insert(0, here)
    try:
        yield
    finally:
        if here in sys.path:  # the user's code may have changed it
            sys.path.remove(here)
        if here not in sys.path:
            sys.path.append(here)


def call_object(spec: str, what: str, known: Iterable[str] = ()) -> Any:
    """What `function` of `module` returns, called without arguments. Raises ConfigError if the call fails."""
    function = import_object(spec, what, known)
    try:
        made = function()
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{what} {spec!r} failed when it was called: {described(error)}") from error
    if made is None:
        raise ConfigError(f"{what} {spec!r} returned None; return the {what} from the function")
    return made


def described(error: BaseException) -> str:
    """An exception of the user's code in one line: what it says, and the file and line that raised it."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return " ".join(f"{type(error).__name__}: {error}".split()) + where


def _as_module(path: str) -> str:
    """The dotted name of a file that lies below the current folder."""
    return ".".join(part for part in path.removesuffix(".py").split("/") if part not in ("", ".", ".."))
