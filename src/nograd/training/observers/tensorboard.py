"""Writes the metrics of a training as event files of TensorBoard; needs only the package tensorboard."""

import time
from types import TracebackType
from typing import Any, Self

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from nograd.runs.directory import RunDirectory
from nograd.runs.run import Run
from nograd.training.loop import Progress


def observer(directory: RunDirectory, start: Progress) -> "TensorBoard":
    """The observer for a training that begins at this progress."""
    return TensorBoard(directory, start)


class TensorBoard:
    """Writes RUN/events.out.tfevents.*, with a scalar per metric; `tensorboard --logdir runs` shows them."""

    def __init__(self, directory: RunDirectory, start: Progress) -> None:
        self._writer = EventFileWriter(str(directory.path))
        # A resumed run writes the generations after its checkpoint again; this makes TensorBoard drop the old ones.
        log = SessionLog(status=SessionLog.START)
        self._writer.add_event(Event(wall_time=time.time(), step=start.generation + 1, session_log=log))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._writer.close()

    def generation(self, progress: Progress, line: dict[str, Any]) -> None:
        """Writes each metric of a generation as a scalar."""
        self._write(progress.generation, {name: value for name, value in line.items() if name != "generation"})
        if progress.generation and any(name.startswith("val_") for name in line):
            self._writer.flush()

    def finish(self, run: Run) -> None:
        """Writes the entries of result.json as scalars at the last generation."""
        self._write(run.result["generations"], {f"result/{name}": value for name, value in run.result.items()})
        self._writer.close()

    def _write(self, step: int, values: dict[str, Any]) -> None:
        numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
        summary = Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()])
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
