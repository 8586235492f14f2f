"""A package with the name of the function that it is for: `nograd.search` is both."""

import importlib
import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    _function: str  # "module:name", imported when it is first called

    def __call__(self, *arguments: Any, **flags: Any) -> Any:
        module, _, name = self._function.partition(":")
        return getattr(importlib.import_module(module), name)(*arguments, **flags)


def make_callable(package: str, function: str) -> None:
    """Makes the package callable as `function`, "module:name"."""
    module = sys.modules[package]
    module.__class__ = _Callable
    module.__dict__["_function"] = function
