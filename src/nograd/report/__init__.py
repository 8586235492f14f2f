"""One self-contained HTML page of a run, a study or a speedup. The package is callable: `nograd.report("runs/a")`."""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A package that has the name of the function that it is for."""

    def __call__(self, *arguments: Any, **flags: Any) -> Any:
        from nograd.report.command import report

        return report(*arguments, **flags)


sys.modules[__name__].__class__ = _Callable
