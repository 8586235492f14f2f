"""Hyperparameter search. The package is callable: `nograd.search("digits", budget="10m")`; see `command.search`."""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A package that has the name of the function that it is for."""

    def __call__(self, *arguments: Any, **flags: Any) -> Any:
        from nograd.search.command import search

        return search(*arguments, **flags)


sys.modules[__name__].__class__ = _Callable
