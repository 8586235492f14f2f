"""The built-in networks by the words of the command line; the words stand in `config.axes`."""

import inspect

from nograd.config.axes import MODELS
from nograd.config.registry import load
from nograd.core.types import ModelError
from nograd.models.base import Builder


def is_built_in(spec: str) -> bool:
    """Whether the word before the colon is a built-in network's, so that the spec is not module:function."""
    word = spec.partition(":")[0]
    return word in MODELS.entries and bool(MODELS.entries[word].build)


def is_policy(spec: str) -> bool:
    """Whether the word is a built-in policy's, or any built-in network's."""
    return is_built_in(spec) or spec in MODELS.entries


def parse_model(spec: str) -> Builder:
    """The builder that a command line's `mlp:128,64`, `mlp-int8:256`, `linear2` or `cnn` names."""
    return _built(spec, policy=False)


def parse_policy(spec: str) -> Builder:
    """The builder that a command line's `mlp:64,64`, `linear` or `atari` names; any other word is a network's."""
    return _built(spec, policy=True)


def _built(spec: str, policy: bool) -> Builder:
    word, _, arguments = spec.partition(":")
    entry = MODELS.entries.get(word)
    path = (entry.policy or entry.build if policy else entry.build) if entry else ""
    if not entry or not path or (arguments and not entry.form):
        raise ModelError(f"unknown model {spec!r}; choose {_choices(policy)}, or module:function of your own")
    builder, widths = load(path), _widths(spec, word, entry.form, arguments)
    try:
        inspect.signature(builder).bind(*widths)
    except TypeError:
        raise ModelError(f"{word} takes widths such as {entry.form}, got {spec!r}") from None
    return builder(*widths)


def _widths(spec: str, word: str, form: str, arguments: str) -> list[int]:
    try:
        return [int(width) for width in arguments.split(",") if width]
    except ValueError:
        raise ModelError(f"{word} takes whole widths such as {form}, got {spec!r}") from None


def _choices(policy: bool) -> str:
    """The words, as they are written."""
    return ", ".join(entry.form or word for word, entry in MODELS.entries.items() if policy or entry.build)
