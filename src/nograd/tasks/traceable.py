"""Whether a function can surely be compiled by JAX: its code reads nothing that tracing would freeze."""

import builtins
import dis
import types
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import jax
import numpy as np

_PURE = ("jax", "math", "functools", "operator", "itertools")  # packages
_IMPURE = ("print", "open", "input", "exec", "eval", "compile", "__import__", "breakpoint")  # of the builtins
_PLAIN = (int, float, complex, str, bytes, bool, range, np.ndarray)
_READS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF")
_CHANGES = ("STORE_GLOBAL", "DELETE_GLOBAL", "IMPORT_NAME")
_STORES = ("STORE_DEREF", "DELETE_DEREF")
_UNKNOWN = object()


def is_traceable(function: Callable[..., Any]) -> bool:
    """Whether a function is one of JAX: already jitted, or made of JAX's functions and pure Python alone.

    One that prints, draws from `random`, reads a clock or calls NumPy would do so once, while it is traced, and its
    result would stand for all later calls. So everything that its code names is checked, in the user's own functions
    too; anything unknown makes it a plain Python function.
    """
    if isinstance(function, jax.stages.Wrapped):
        return True
    return _looked_at(function, set()) is True


def _looked_at(function: Any, seen: set[int]) -> bool | None:
    """True: all is known, and JAX is named; None: all is known, and it is not; False: something is not known."""
    if not isinstance(function, types.FunctionType):
        return False
    if id(function) in seen:
        return None
    seen.add(id(function))
    if (names := _names(function.__code__)) is None:
        return False
    around = _closure(function)
    return _all_known([_meaning(name, around, function.__globals__) for name in names], seen)


def _all_known(values: Iterable[Any], seen: set[int]) -> bool | None:
    """What `_looked_at` says, of several values together."""
    found = [_known(value, seen) for value in values]
    return False if False in found else True if True in found else None


def _known(value: Any, seen: set[int]) -> bool | None:
    """What `_looked_at` says, of a value that a function names."""
    if isinstance(value, jax.Array | jax.stages.Wrapped):
        return True
    if value is None or isinstance(value, _PLAIN):
        return None
    if isinstance(value, tuple):
        return _all_known(value, seen)
    is_module = isinstance(value, types.ModuleType)
    root = (value.__name__ if is_module else getattr(value, "__module__", None) or "").partition(".")[0]
    if root in _PURE:
        return True if root == "jax" else None
    if root == "builtins" and callable(value):
        return False if value.__name__ in _IMPURE else None
    return False if is_module else _looked_at(value, seen)


def _meaning(name: str, around: Mapping[str, Any], module: Mapping[str, Any]) -> Any:
    """What a name stands for; `_UNKNOWN` where nobody knows yet."""
    for values in (around, module, vars(builtins)):
        if name in values:
            return values[name]
    return _UNKNOWN


def _closure(function: types.FunctionType) -> dict[str, Any]:
    """The variables of the functions around it that have a value."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # it has none yet
            found[name] = cell.cell_contents
    return found


def _names(code: types.CodeType) -> set[str] | None:
    """The variables from outside that a function's code reads, those of the functions within it among them.

    None where it changes some, or imports.
    """
    instructions = list(dis.get_instructions(code))
    outside = {one.argval for one in instructions if one.opname in _STORES} & set(code.co_freevars)
    if outside or any(one.opname in _CHANGES for one in instructions):
        return None
    names = {one.argval for one in instructions if one.opname in _READS} - set(code.co_cellvars)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            within = _names(constant)
            if within is None:
                return None
            names |= within - set(code.co_cellvars)
    return names
