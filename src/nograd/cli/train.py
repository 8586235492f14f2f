"""`nograd train`: trains a network, or resumes a run."""

import shlex
import sys
from pathlib import Path
from typing import Any

from nograd.cli.exit_codes import EXIT_DIVERGED, EXIT_INTERRUPTED
from nograd.cli.flags import parse_given, prepare_jax, with_task
from nograd.config.merge import may_change, merge
from nograd.config.settings import TrainConfig
from nograd.config.task_settings import is_environment
from nograd.config.validate import validate
from nograd.core.metrics import Measure
from nograd.core.text import parse_duration
from nograd.core.wrapping import say, say_command
from nograd.runs.endings import ending, failed


def train(arguments: list[str], started: float) -> int:
    """Runs `nograd train`."""
    given = parse_given(TrainConfig, arguments, "nograd train")
    saved = None
    if given.get("resume"):
        prepare_jax()
        from nograd.training.train import resumed_settings

        saved = resumed_settings(given["resume"])
    else:
        settled, why = with_task(TrainConfig(**given))
        given["task"] = settled.task
        say(why)
    config = validate(merge(given, saved))
    prepare_jax()
    from nograd.training.display import shown
    from nograd.training.train import run_config

    run = run_config(config, on_start=shown, started=started)
    code = _report(run.path, run.result, run.measure)
    if code == 0:
        _tell_next_steps(run.path, run.settings, run.result)
    return code


def _report(path: Any, result: dict[str, Any], measure: Measure) -> int:
    """Prints the last lines of a training; returns the exit code."""
    reason = result["stop_reason"]
    words = f"{ending(reason)} ({reason})" if failed(reason) else ending(reason)
    say(
        f"stopped: {words}; {result['generations']:,} generations, {result['seconds']:.1f} s of training, "
        f"{result['evaluations']:,} evaluations"
    )
    tested, validated = result[measure.test], result[measure.val]
    if tested is not None:
        chosen = f" (chosen at generation {result['best_generation']:,} by validation {measure.what} "
        say(
            f"test {measure.what} {measure.text(tested)}"
            + (f"{chosen}{measure.text(validated)})" if validated is not None else "")
        )
    if reason == "interrupted":
        say_command("go on with:", f"nograd train --resume {shlex.quote(str(path))}")
        return EXIT_INTERRUPTED
    if failed(reason):
        what = "all fitness values were" if reason.endswith("fitness") else "the update was"
        say(
            f"nograd: {what} NaN or infinite in generation {result['generations'] + 1:,}; the state before it is "
            f"saved in {path}; try a smaller --lr or --sigma in a new run",
            sys.stderr,
        )
        return EXIT_DIVERGED
    say(f"result: {path}/result.json")
    return 0


def _tell_next_steps(path: Path, settings: TrainConfig, result: dict[str, Any]) -> None:
    """Prints two or three commands for what comes next."""
    run = shlex.quote(str(path))
    use = f"nograd evaluate {run}" if is_environment(settings.task) else f"nograd predict {run} FILE"
    longer = _longer(settings, result)
    commands = [f"nograd report {run}", use, *([f"nograd train --resume {run} {longer}"] if longer else [])]
    for place, command in enumerate(commands):
        say_command("next:" if place == 0 else "     ", command)


def _longer(settings: TrainConfig, result: dict[str, Any]) -> str:
    """The flag with which a run that used up its generations or its time goes on; empty if it cannot."""
    if result["stop_reason"] == "budget" and settings.budget:
        return f"--budget {2 * parse_duration(settings.budget):.0f}s"
    if result["stop_reason"] == "generations" and "generations" in may_change(settings):
        return f"--generations {2 * settings.generations}"
    return ""
