"""Reading where a training stood from its run directory: state, counters and best of a checkpoint."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from nograd.core.notice import notice
from nograd.runs.directory import RunDirectory
from nograd.runs.timeline import go_back
from nograd.strategies.base import State
from nograd.training.loop import Best, Limits, Progress


class Restored(NamedTuple):
    """The state of a training, read from its run directory."""

    # None if the run has no checkpoint: it ended before its first one, and begins again from generation 0.
    state: State | None = None
    progress: Progress = Progress()
    best: Best | None = None


def restore(directory: RunDirectory, like: State, identity: str, checkpoint: Path | None = None) -> Restored:
    """Reads the last checkpoint of a run, or the one given. Nothing on disk changes; for that see `resume_from`.

    Args:
        directory: the run.
        like: a tree with the shapes and types of its state.
        identity: text that identifies the run and is stored in its checkpoints.
        checkpoint: the file to read; None: the latest.

    Raises:
        CheckpointError: the checkpoint, or the best that belongs to it, is damaged or of another run.
    """
    paths = directory.numbered()
    path = checkpoint or (paths[-1] if paths else None)
    if path is None:
        return Restored()
    state, meta = directory.load(path, like, identity)
    progress = Progress(**meta["progress"])
    if not progress.best_generation:
        return Restored(state, progress)
    if (needed := directory.bests.of(progress.best_generation)) is None:
        notice(
            f"{directory.path} has no best of generation {progress.best_generation} any more; "
            "the best is chosen anew from here on"
        )
        return Restored(state, replace(progress, best_score=None, best_generation=0))
    chosen, _ = directory.load(needed, like, identity)
    return Restored(state, progress, Best(chosen.params, progress.best_generation, progress.best_score or 0.0))


def resume_from(directory: RunDirectory, progress: Progress, limits: Limits) -> None:
    """Moves away or removes what the directory holds from after this progress."""
    evaluated = progress.generation % limits.eval_every == 0
    go_back(directory, progress.generation, progress.best_generation, evaluated)
    directory.prune(limits.keep_checkpoints)  # a crash may have happened before this was done
