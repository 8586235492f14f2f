"""Sends the metrics of a training to Weights & Biases."""

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import wandb

from nograd.core.types import ConfigError
from nograd.runs.directory import RunDirectory
from nograd.runs.run import Run
from nograd.training.loop import Progress


def observer(directory: RunDirectory, start: Progress) -> "WandB":
    """The observer for a training that begins."""
    return WandB(directory)


class WandB:
    """A run in the project $WANDB_PROJECT, or "nograd". A resumed training continues the same run.

    Raises:
        ConfigError: nobody is logged in, or the server does not answer.
    """

    def __init__(self, directory: RunDirectory) -> None:
        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "nograd"),
                name=directory.path.resolve().name,
                id=_known_id(directory.path / "wandb-id.txt"),
                dir=str(directory.path),
                config=directory.config(),
                resume="allow",
            )
        except wandb.Error as error:
            raise ConfigError(
                f"--wandb: {error}; run wandb login, or set WANDB_MODE=offline, then go on with --resume "
                f"{directory.path}"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._run.finish(exit_code=1)

    def generation(self, progress: Progress, line: dict[str, Any]) -> None:
        """Sends all metrics of a generation."""
        self._run.log(line, step=progress.generation)

    def finish(self, run: Run) -> None:
        """Stores the entries of result.json as the summary of the run."""
        self._run.summary.update(run.result)
        self._run.finish()


def _known_id(path: Path) -> str:
    """The id of the run at Weights & Biases, stored in the run directory so that a resumed training finds it."""
    if not path.is_file():
        path.write_text(f"{uuid4().hex[:12]}\n")
    return path.read_text().strip()
