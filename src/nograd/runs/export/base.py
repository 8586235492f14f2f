"""Exporting the network of a run: the choice of the format, and what each format receives and returns."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from nograd.config.axes import EXPORTS
from nograd.core.imports import call_object
from nograd.core.types import ConfigError
from nograd.models import is_built_in
from nograd.models.adapters.base import is_of, source_of, write
from nograd.runs.files import write_atomically
from nograd.tasks.network import Network


class Exported(NamedTuple):
    """What a format receives: the network, and how to get the object that was trained."""

    network: Network
    name: str  # the setting `model`, such as mlp:64
    original: Callable[[], Any]  # returns the model of another library that was trained; raises ConfigError


class Files(NamedTuple):
    """What a format returns: the content of the file, and of files beside it by the suffix added to the file's name."""

    content: bytes
    beside: Mapping[str, bytes] = MappingProxyType({})


def trained_model(given: Exported, library: str, kind: str, named: str) -> Any:
    """The model of another library that was trained, with the parameters of the run in it.

    Raises:
        ConfigError: the run's network is not of this library and class; the message calls the class `named`.
    """
    network = given.network
    model = source_of(given.original(), network.shape, network.outputs)
    if not is_of(model, library, kind):
        raise ConfigError(
            f"the network {given.name} is no {named}, which --format {library} is for; use --format onnx, stablehlo or "
            "safetensors"
        )
    return write(model, network.params, network.shape)


def export_format(path: Path, format: str | None) -> str:
    """The name of a format, by the suffix of the file if None is given. Raises ConfigError if it is unknown."""
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
    """Writes a network to a file and returns its path; the file is written whole or not at all.

    Raises:
        ConfigError: the format is unknown, or it cannot hold this network.
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
    """The file in a run directory to which a format is exported by default, such as network.onnx."""
    return folder / f"network{EXPORTS.entry(format).suffixes[0]}"


def original_model(path: Path, spec: str) -> Any:
    """The object of another library that was trained; None if the network is one of nograd's.

    Raises:
        ConfigError: the run in `path` was trained on a Python object, which its settings do not name.
    """
    if spec.startswith("("):
        raise ConfigError(
            f"{path} was trained on a model handed over in Python; write into it and save it there: run.to(model)"
        )
    return call_object(spec, "model") if ":" in spec and not is_built_in(spec) else None
