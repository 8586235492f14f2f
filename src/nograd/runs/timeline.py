"""Going back to a checkpoint on disk: what was written after it is moved away or removed.

The order of the steps matters: a crash between two of them must leave a directory that can be resumed. So what is later
is removed from the end backwards, and checkpoints before the metrics that they need.
"""

from pathlib import Path

from nograd.core.notice import notice
from nograd.core.types import RunError
from nograd.runs import files
from nograd.runs.directory import CONFIG, CURVES, RESULT, RunDirectory, number_of
from nograd.runs.metrics_file import NAME as METRICS
from nograd.runs.metrics_file import gaps, without_scores


def go_back(directory: RunDirectory, generation: int, best: int, evaluated: bool) -> None:
    """Makes `generation` the last one on disk.

    Later checkpoints, which exist only if an earlier one was named, are moved into a new run directory inside this one,
    with a copy of the metrics. So naming the wrong checkpoint loses nothing.

    Args:
        directory: its lock is held by this process.
        generation: of the checkpoint that the training goes on from; 0: from the start.
        best: the generation of the best in that checkpoint; 0: none.
        evaluated: whether an evaluation is due at `generation` in a training of any length.
    """
    metrics = directory.metrics()
    _tell_of_gaps(directory, gaps(metrics, generation))
    later = [path for path in directory.numbered() if number_of(path) > generation]
    aside = _aside(directory, generation) if later else None
    for path in reversed(later):
        _part_with(path, aside and aside / "checkpoints")
    for number, path in sorted(directory.bests.all().items(), reverse=True):
        if number > best:
            _part_with(path, aside and aside / "checkpoints")
    directory.bests.go_on_from(best)
    for name in (RESULT, CURVES):
        _part_with(directory.path / name, aside)
    kept = [line for line in metrics if line["generation"] <= generation]
    if kept and kept[-1]["generation"] == generation and not evaluated:
        kept[-1] = without_scores(kept[-1])
    directory.rewrite_metrics(kept)


def _aside(directory: RunDirectory, generation: int) -> Path:
    """A new run directory for the later files; it holds config.json, all metrics and the best so far already."""
    name, number = f"later-than-generation-{generation}", 1
    while (aside := directory.path / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    try:
        (aside / "checkpoints").mkdir(parents=True)
    except OSError as error:
        raise RunError(f"cannot make {aside}: {error.strerror}; make room or permit it") from error
    best = directory.best
    for path in (directory.path / METRICS, best, directory.path / CONFIG):
        if path.is_file():
            files.write_atomically(aside / path.relative_to(directory.path), path.read_bytes())
    files.sync_folder(directory.path)
    notice(f"what {directory.path} holds after generation {generation} is moved to {aside}, a run that can be resumed")
    return aside


def _part_with(path: Path, folder: Path | None) -> None:
    """Moves a file into a folder, or removes it if the folder is None."""
    if not path.is_file():
        return
    try:
        if folder is None:
            files.remove(path)
            files.sync_folder(path.parent)
        else:
            files.move(path, folder / path.name)
    except OSError as error:
        raise RunError(f"cannot move {path}: {error.strerror}; permit it, then go on with --resume") from error


def _tell_of_gaps(directory: RunDirectory, missing: list[tuple[int, int]]) -> None:
    if not missing:
        return
    ranges = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in missing)
    whole = [path for path in directory.numbered() if number_of(path) < missing[0][0]]
    remedy = f"to have them again: nograd train --resume {whole[-1]}" if whole else "no checkpoint is from before them"
    notice(f"{directory.path / METRICS} has no lines of generations {ranges}; the training goes on without; {remedy}")
