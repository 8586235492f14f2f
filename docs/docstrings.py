"""For mkdocstrings, which reads the source: docstrings that it computes, by `__doc__ = …`, are taken from Python."""

import inspect
from importlib import import_module
from typing import Any

import griffe


class ComputedDocstrings(griffe.Extension):
    """Gives a class whose body assigns `__doc__` the text that it has at run time."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Griffe calls this for every class, once its body is read."""
        if "__doc__" in cls.members:
            made = getattr(import_module(cls.module.path), cls.name)
            cls.docstring = griffe.Docstring(inspect.getdoc(made) or "", parent=cls)
            cls.del_member("__doc__")
