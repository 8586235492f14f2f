"""`nograd search` and `nograd speedup`: commands that run many trainings."""

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

from nograd.cli.exit_codes import EXIT_INTERRUPTED
from nograd.cli.flags import PAGE, parse, prepare_jax, with_task
from nograd.core.json_text import to_json
from nograd.core.wrapping import say, say_command
from nograd.scaling.settings import SpeedupConfig, training
from nograd.scaling.settings import check as check_speedup
from nograd.tuning.settings import SearchConfig, base_of, needs_task
from nograd.tuning.settings import check as check_search
from nograd.tuning.study.lifetime import Lifetime, before_main
from nograd.tuning.study.location import is_study


def search(arguments: list[str], started: float) -> int:
    """Runs `nograd search`."""
    lifetime = Lifetime(time.monotonic() - (time.perf_counter() - started) - before_main(started))
    given = parse(SearchConfig, arguments, "nograd search")
    check_search(given)
    if is_study(folder := given.out or f"studies/{given.join}"):
        lifetime.keep_in(Path(folder))
    if needs_task(given):
        found, why = with_task(base_of(given))
        say(why, sys.stderr if given.json else sys.stdout)
        given = replace(given, task=found.task)
    prepare_jax()
    from nograd.core.console import standard_console
    from nograd.core.grid import show
    from nograd.tuning.display import SearchDisplay
    from nograd.tuning.search import run_search
    from nograd.tuning.table import parts

    console = standard_console(PAGE)
    try:
        study, figures, interrupted = run_search(given, SearchDisplay(None if given.json else console), lifetime)
    except KeyboardInterrupt:
        say("nograd: interrupted at once; the study is kept, the trials that ran are lost", sys.stderr)
        return EXIT_INTERRUPTED
    if given.json:
        print(to_json(figures, indent=1))
    else:
        show(parts(study, figures), console)
    if interrupted:
        say_command("go on with:", f"nograd search --out {shlex.quote(str(study.path))}", sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def speedup(arguments: list[str], started: float) -> int:
    """Runs `nograd speedup`."""
    config = parse(SpeedupConfig, arguments, "nograd speedup")
    check_speedup(config)
    given, why = with_task(training(config))
    say(why, sys.stderr if config.json else sys.stdout)
    train = training(replace(config, task=given.task))
    prepare_jax()
    from nograd.core.console import standard_console
    from nograd.core.grid import show
    from nograd.scaling.speedup import speedup as measured
    from nograd.scaling.table import parts

    def tell(line: str) -> None:
        if not config.json:
            say(line)

    try:
        figures = measured(config, train, tell)
    except KeyboardInterrupt:
        say("nograd: interrupted; nothing is written", sys.stderr)
        return EXIT_INTERRUPTED
    if config.json:
        print(to_json(figures, indent=1))
        return 0
    show(parts(figures), standard_console(PAGE))
    say(f"figures: {config.out}/speedup.json, picture: {config.out}/speedup.png")
    return 0
