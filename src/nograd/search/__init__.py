"""Hyperparameter search. The package is callable: `nograd.search("digits", budget="10m")`; see `command.search`."""

from nograd.callables import make_callable

make_callable(__name__, "nograd.search.command:search")
