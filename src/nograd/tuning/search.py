"""`nograd search` from flags to a finished study: open, search, confirm the winner, sum up."""

import math
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from nograd.config.merge import check_given
from nograd.config.name_lists import as_text
from nograd.config.values import settings_of
from nograd.core.clock import running_time
from nograd.core.console import standard_console
from nograd.core.forked import refuse_fork
from nograd.core.interrupt import interruptible
from nograd.core.json_text import to_json
from nograd.core.runtime import use_one_thread
from nograd.core.text import duration
from nograd.engines.cores import core_count
from nograd.runs.files import sweep, write_atomically
from nograd.tuning.budget import Clock, WorkerCosts, projected, training_seconds
from nograd.tuning.confirm import Confirmations, best_trial, write_recipe
from nograd.tuning.display import SearchDisplay, trial_line
from nograd.tuning.open_study import OpenStudy, open_or_make
from nograd.tuning.run_trials import Trials
from nograd.tuning.settings import SearchConfig, Terms, check
from nograd.tuning.space import space_lines
from nograd.tuning.study import read, statistics
from nograd.tuning.study.lifetime import Lifetime
from nograd.tuning.study.records import Study, Trial
from nograd.tuning.study.sessions import BEAT, SILENCE
from nograd.tuning.study.write import StudyWriter, counts
from nograd.tuning.worker_pool import GRACE, WorkerPool

STATISTICS = "statistics.json"
_NAMES = {one.name for one in settings_of(SearchConfig) if one.metadata.get("names")}


def search(
    task: str | Path | None = None, *, search: Sequence[str] | Mapping[str, str] = (), show: bool = False, **flags: Any
) -> Study:
    """Searches hyperparameters and returns the study; with the path of one in `out` it goes on with that.

    Args:
        task: "mnist" (the default), "digits", a path to an .npz or .csv file, or an environment's id.
        search: what is drawn, as {"sigma": "log(0.001, 1)"} or ["sigma=log(0.001, 1)"].
        show: print what goes on, as the command line does.
        flags: any other flag of `nograd search`, such as budget="10m", generations, trials, workers or out.

    Raises:
        NogradError: a flag, the space or the data cannot be; the message says what to do.
    """
    lifetime = Lifetime(time.monotonic())
    known = {one.name: one for one in settings_of(SearchConfig) if one.name not in ("task", "search")}
    flags = {name: as_text(value) if name in _NAMES else value for name, value in flags.items()}
    flags = check_given(flags, known)
    words = tuple("=".join(item) for item in search.items()) if isinstance(search, Mapping) else tuple(search)
    if task is None and not flags.keys() & {"out", "join", "preset", "config"} and flags.get("space") != "blog":
        task = "mnist"
    given = SearchConfig(task=None if task is None else str(task), search=words, **flags)
    return run_search(given, SearchDisplay(standard_console() if show else None), lifetime).study


class Outcome(NamedTuple):
    """The result of a session."""

    study: Study
    figures: dict[str, Any]  # of statistics.json
    interrupted: bool  # by Ctrl-C


def run_search(given: SearchConfig, display: SearchDisplay, lifetime: Lifetime) -> Outcome:
    """One session on the study of --out or --join, or on a new one.

    Args:
        given: the flags.
        display: shows the progress.
        lifetime: of this command: the budget begins with it.
    """
    refuse_fork()
    use_one_thread()
    check(given)
    startup = lifetime.seconds
    opened = open_or_make(given, lifetime)
    place, terms = opened.place, opened.terms
    with interruptible() as interrupted, ExitStack() as stack:
        stack.enter_context(display)
        lifetime.keep_in(place.path)
        sweep(place.path)
        stack.callback(lifetime.close)
        writer = StudyWriter(place, opened.space, opened.base, terms, lifetime.seconds, lifetime.mark)
        stack.callback(writer.close)
        stack.callback(writer.beat, ended=True)
        stack.callback(writer.bury)
        writer.renew(opened.record)
        writer.bury()
        _wait_for_others(writer, terms, interrupted, display)
        clock = Clock.of(terms.budget_seconds, writer.spent(), startup)
        _announce(opened, writer, clock, display)
        if idle := _nothing_to_do(clock, writer.record(), terms):
            display.line(idle)
        elif not interrupted.is_set():
            crew = WorkerPool(_workers(terms), opened.base.deadline)
            stack.callback(crew.close)
            _Work(opened, writer, clock, crew, display, interrupted).run()
    study = read.read(place)
    return Outcome(study, _summed_up(study), interrupted.is_set())


class _Work:
    """One session: the search, then the winner."""

    def __init__(
        self,
        opened: OpenStudy,
        writer: StudyWriter,
        clock: Clock,
        crew: WorkerPool,
        display: SearchDisplay,
        interrupted: threading.Event,
    ) -> None:
        self.terms, self.writer, self.clock, self.crew = opened.terms, writer, clock, crew
        self.display, self.interrupted = display, interrupted
        self.here = {"task": opened.base.task, "data_dir": opened.base.data_dir}
        self.trials = Trials(
            writer,
            self.terms.trials,
            self.here,
            lambda trial: display.line(trial_line(trial, self.trials.study.measure)),
        )
        self._told, self._confirmed = False, -1

    def run(self) -> None:
        """Runs trials until the rest of the time is needed to confirm the best; repeats while time remains."""
        while True:
            self.crew.do(self.trials, self._search_over, self._tick)
            if best := best_trial(self.writer.record()):
                self._confirm(best)
            if self._over() or self.trials.exhausted or self._left() <= 0:
                return

    def _confirm(self, best: Trial) -> None:
        confirmations = Confirmations(self.writer, best, self.terms.confirm, self.here)
        if confirmations.left and not self._over():
            self.display.line(f"the best is trial {best.number}; it is trained again on seeds {confirmations.left}")
            self.crew.do(confirmations, self._over, self.writer.beat)
        for failure in confirmations.failures:
            self.display.line(f"the winner failed with {failure}")
        if (said := confirmations.shortfall()) and not self.interrupted.is_set():
            self.display.line(said)
        self._confirmed = best.number

    def _over(self) -> str:
        """The reason to end the session; empty to go on."""
        if self.interrupted.is_set():
            return "interrupted"
        return "budget" if self.clock.left() <= 0 else ""

    def _search_over(self) -> str:
        return self._over() or ("budget" if self._left() <= 0 else "")

    def _left(self) -> float:
        """Seconds left for trials, without the time reserved for confirming the best one."""
        study, crew = self.trials.study, self.crew
        best = best_trial(study)
        if best is None or best.number == self._confirmed:
            return self.clock.left()
        each = training_seconds(best, study.trials, self.writer.base.generations)
        startup = max(hand.startup for hand in crew.hands)
        costs = WorkerCosts(len(crew.hands), GRACE, startup)
        return self.clock.left() - self.clock.reserve(each, self.terms.confirm, costs)

    def _tick(self) -> None:
        self.writer.beat()
        self.trials.keep()
        trials, left, workers = self.trials, self._left(), len(self.crew.hands)
        durations = trials.durations()
        number = projected(trials.done, trials.rests(), durations, workers, left)
        if self.terms.trials is not None:
            number = min(number or self.terms.trials, self.terms.trials)
        if number is not None and durations and not self._told and math.isfinite(left):
            self._told = True
            each = sum(durations) / len(durations)
            rate = f"of {each:.1f} s each on {workers} workers"
            self.display.line(
                f"at this rate there will be about {number} trials, {rate}"
                if number
                else f"trials {rate} may not end within the budget; give more of it, or fewer --generations"
            )
        self.display.state(*_state(trials, self.terms, self.clock, number, left))


def _state(
    trials: Trials, terms: Terms, clock: Clock, number: int | None, left: float
) -> tuple[float, list[str], list[float]]:
    best = best_trial(trials.study)
    done = trials.done
    about = "" if number == terms.trials else "about "
    parts = [f"{done} trials" if number is None else f"{done} of {about}{number} trials"]
    parts.append(
        "no best yet" if best is None else f"best {trials.study.measure.text(best.value)} (trial {best.number})"
    )
    if rate := trials.rate():
        parts.append(f"{rate:.1f} trials/min")
    if math.isfinite(left):
        parts.append(f"{duration(max(left, 0.0))} left")
    shares = [done / terms.trials] if terms.trials else []
    if clock.budget:
        shares.append(1 - clock.left() / clock.budget)
    scores = [trial.value for trial in trials.study.trials if trial.value is not None]
    return max(shares, default=0.0), parts, scores


def _announce(opened: OpenStudy, writer: StudyWriter, clock: Clock, display: SearchDisplay) -> None:
    terms, base, study = opened.terms, opened.base, writer.record()
    display.line(opened.note)
    drawn = {dimension.name for dimension in opened.space}
    shared = {"model": base.model, "strategy": base.strategy, "perturbation": f"{base.perturbation} perturbation"}
    same = ", ".join(str(word) for name, word in shared.items() if name not in drawn)
    display.line(f"trials of {base.generations:,} generations: {same}; drawn are")
    for line in space_lines(opened.space):
        display.line(line)
    if opened.doubt:
        display.line(opened.doubt)
    how = (f"sampler {terms.sampler}", f"pruner {terms.pruner}", f"seed {terms.seed}", f"workers {_workers(terms)}")
    display.line(", ".join(how))
    display.line(f"study: {study.path}" + (f", with {len(study.trials)} trials" if study.trials else ""))
    if clock.budget is not None:
        left = max(clock.end - running_time(), 0.0)
        kept = "what training the winner again takes is kept of it"
        display.line(f"budget: {duration(clock.budget)}, of which {duration(left)} are left; {kept}")


def _wait_for_others(writer: StudyWriter, terms: Terms, interrupted: threading.Event, display: SearchDisplay) -> None:
    """Waits where --trials is filled by trials that run on other machines, until each machine has given a sign of life.

    One without any for a minute has lost its trials, which are then drawn anew.
    """
    told = False
    while not interrupted.is_set() and (machines := writer.unsure()):
        trials = writer.record().trials
        ended = sum(counts(trial) and trial.state != "running" for trial in trials)
        if terms.trials is None or ended >= terms.trials or sum(map(counts, trials)) < terms.trials:
            return
        if not told:
            names = ", ".join(sorted(name.partition(":")[0] for name in machines))
            display.line(f"waits up to {SILENCE:.0f} s for a sign of life of {names}, which run the last trials")
        told = True
        interrupted.wait(BEAT)
        writer.beat()
    writer.bury()


def _nothing_to_do(clock: Clock, study: Study, terms: Terms) -> str:
    """Why no worker need start; empty where there is work."""
    if _finished(study, terms):
        return "all trials are there, and the winner's seeds; more --trials goes on"
    return "nothing of the budget is left; a larger --budget goes on" if clock.left() <= 0 else ""


def _finished(study: Study, terms: Terms) -> bool:
    """Whether all trials are there and the winner has its seeds: then no worker need start."""
    if terms.trials is None or sum(map(counts, study.trials)) < terms.trials:
        return False
    best, winner = best_trial(study), study.winner
    if best is None:
        return True
    return winner is not None and winner.trial == best.number and len(winner.seeds) >= max(terms.confirm, 1)


def _summed_up(study: Study) -> dict[str, Any]:
    """Writes statistics.json and, where there is a winner, best.toml."""
    figures = statistics.summary(study)
    write_atomically(study.path / STATISTICS, f"{to_json(figures, indent=1)}\n".encode())
    if study.winner:
        write_recipe(study, study.winner)
    return figures


def _workers(terms: Terms) -> int:
    return core_count() if terms.workers == "auto" else int(terms.workers)
