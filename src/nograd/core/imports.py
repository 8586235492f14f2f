"""Objects of the user's own, by the words `module:function`."""

import importlib
import os
import sys
from typing import Any

from nograd.core.types import ConfigError


def import_object(spec: str, what: str) -> Any:
    """`function` of `module` for a spec `module:function`; modules beside the user's shell come first."""
    module, _, name = spec.partition(":")
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"cannot import {what} {spec!r}: {error}; write module:function") from error
    if not callable(found):
        raise ConfigError(f"{what} {spec!r} is {type(found).__name__}, not a function")
    return found
