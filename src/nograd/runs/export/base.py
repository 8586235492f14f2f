"""A run's network into a file of another format: which format, and what each is given."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from nograd.config.axes import EXPORTS
from nograd.core.types import ConfigError
from nograd.models.adapters.base import is_of, write
from nograd.runs.files import write_atomically
from nograd.tasks.network import Network


class Exported(NamedTuple):
    """What a format is given."""

    network: Network
    name: str  # the network's word, such as mlp:64
    original: Callable[[], Any]  # makes the object of another library that was trained; raises ConfigError


class Files(NamedTuple):
    """What a format gives: the file, and what belongs beside it, by the suffix that is added to the file's name."""

    content: bytes
    beside: Mapping[str, bytes] = MappingProxyType({})


def trained_model(given: Exported, library: str, kind: str, named: str) -> Any:
    """The model of another library that was trained, with the run's parameters.

    Raises:
        ConfigError: the run's network is of no such class; `named` is how the message calls it.
    """
    model = given.original()
    if not is_of(model, library, kind):
        raise ConfigError(
            f"the network {given.name} is no {named}, which --format {library} is for; use --format onnx, stablehlo or "
            "safetensors"
        )
    return write(model, given.network.params, given.network.shape)


def export_format(path: Path, format: str | None) -> str:
    """The word of a format, by the suffix of the file where none is given. Raises ConfigError."""
    if format is not None:
        EXPORTS.entry(format)
        return format
    suffix = path.suffix.lower()
    for word, entry in EXPORTS.entries.items():
        if suffix in entry.suffixes:
            return word
    known = ", ".join(suffix for entry in EXPORTS.entries.values() for suffix in entry.suffixes)
    raise ConfigError(f"{path} has no suffix of an export format; use one of {known}, or give the format")


def write_export(given: Exported, path: Path, format: str | None) -> Path:
    """Writes a network to a file, whole or not at all.

    Raises:
        ConfigError: there is no such format, or it cannot hold this network.
        RunError: the file cannot be written.
    """
    word = export_format(path, format)
    files: Files = EXPORTS.builder(word)(given)
    if not path.parent.is_dir():
        raise ConfigError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    for suffix, content in files.beside.items():
        write_atomically(path.with_name(path.name + suffix), content)
    write_atomically(path, files.content)
    return path


def default_file(folder: Path, format: str) -> Path:
    """Where an export is written in a run directory: network.onnx."""
    return folder / f"network{EXPORTS.entry(format).suffixes[0]}"
