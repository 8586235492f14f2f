"""For mkdocstrings, which reads the source: docstrings as griffe's parser wants them."""

import inspect
import re
from importlib import import_module
from typing import Any

import griffe

SECTION = re.compile(r"(?<!\n)\n( *)(Args|Returns|Yields|Raises|Attributes):\n")


def spaced(text: str) -> str:
    """With an empty line before each section, which griffe needs to see it."""
    return SECTION.sub(r"\n\n\1\2:\n", text)


class HouseDocstrings(griffe.Extension):
    """Takes docstrings that the source computes, by `__doc__ = …`, from Python, and parts the sections of all.

    The default of a keyword that is a setting is shown as "…": it follows from the recipe, or is that of the setting.
    """

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Griffe calls this for everything, once the package is read."""
        if isinstance(obj, griffe.Class) and "__doc__" in obj.members:
            made = getattr(import_module(obj.module.path), obj.name)
            obj.docstring = griffe.Docstring(inspect.getdoc(made) or "", parent=obj)
            obj.del_member("__doc__")
        if isinstance(obj, griffe.Function):
            for parameter in obj.parameters:
                if str(parameter.default) == "NOT_GIVEN":  # a word that says nothing to a reader
                    parameter.default = "…"
        if obj.docstring:
            obj.docstring.value = spaced(obj.docstring.value)
