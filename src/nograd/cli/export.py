"""`nograd export`: writes the network of a run to a file for other programs."""

from dataclasses import MISSING, dataclass
from pathlib import Path

from nograd.cli.flags import parse, prepare_jax
from nograd.config.axes import EXPORTS
from nograd.config.fields import Positional, file_name, setting
from nograd.core.types import ConfigError
from nograd.core.wrapping import say


@dataclass(frozen=True)
class ExportConfig:
    """Write the trained network of a run to a file that other programs can read."""

    run: Positional[str] = setting(MISSING, path=True, check=file_name)
    """The run directory."""
    format: str | None = setting(None, axis=EXPORTS)
    """What to write. Default: by the suffix of --out."""
    out: str | None = setting(None, short="-o", path=True, check=file_name)
    """The file. Default: RUN/network with the suffix of the format."""


def export(arguments: list[str], started: float) -> int:
    """Runs `nograd export`."""
    config = parse(ExportConfig, arguments, "nograd export")
    if config.format is None and config.out is None:
        raise ConfigError(f"--format is missing; choose one of {', '.join(EXPORTS.words)}")
    prepare_jax()
    from nograd.runs.export.base import default_file, export_format
    from nograd.runs.run import load

    word = export_format(Path(config.out or ""), config.format)
    path = load(config.run).export(config.out or default_file(Path(config.run), word), word)
    say(f"{word}, {path.stat().st_size:,} bytes: {path}")
    return 0
