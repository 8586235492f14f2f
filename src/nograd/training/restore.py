"""From a run directory to where its training stood: state, progress and best of a checkpoint."""

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

    # None for a run without any checkpoint: it was ended before its first one, and starts over.
    state: State | None = None
    progress: Progress = Progress()
    best: Best | None = None


def restore(directory: RunDirectory, like: State, identity: str, checkpoint: Path | None = None) -> Restored:
    """What a run's last checkpoint says, or the one named. Nothing on disk changes; see `resume_from`.

    Raises:
        CheckpointError: the checkpoint, or the best that it relies on, is damaged or of another run.
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
    """Makes this progress the end of what the directory holds: what is later goes."""
    evaluated = progress.generation % limits.eval_every == 0
    go_back(directory, progress.generation, progress.best_generation, evaluated)
    directory.prune(limits.keep_checkpoints)  # a crash may have come before
