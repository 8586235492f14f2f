"""The search itself: draws trials, gives them to the workers and writes their results, until time or count run out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import optuna

from nograd.config.settings import settings
from nograd.core.cache import trim, user_cache
from nograd.core.clock import running_time
from nograd.core.types import ConfigError
from nograd.tuning.space import seed_at, trial_config
from nograd.tuning.study.records import Trial
from nograd.tuning.study.write import Curve, StudyWriter, counts
from nograd.tuning.trial import TrialEnd, TrialRequest

_TRIM_EVERY, _CACHE_SIZE = 64, 1 << 30  # every trial leaves about 150 kB of compiled programs in the cache
_KEEP = 5.0  # seconds between two writes of the curves of running trials
_PATIENCE = 50  # failed trials, if none has succeeded, before the study is stopped


@dataclass
class Running:
    """A trial on a worker."""

    trial: optuna.Trial
    since: float
    generation: int = 0
    curve: Curve = field(default_factory=list)
    error: float | None = None  # the standard error of the best score of the curve
    kept: int = 0  # evaluations of the curve that are in the storage

    def spent(self) -> float:
        """Seconds so far."""
        return running_time() - self.since

    def left(self, generations: int) -> float | None:
        """Seconds to the last generation, at the rate so far; None before a tenth: until then it compiles, mostly."""
        known = self.generation * 10 >= generations
        return self.spent() * (generations / self.generation - 1) if known else None


class Trials:
    """The trials of a study; a `worker_pool.Work`."""

    def __init__(
        self, writer: StudyWriter, limit: int | None, here: dict[str, Any], told: Callable[[Trial], None]
    ) -> None:
        """
        Args:
            writer: of the study.
            limit: trials in all, over all sessions; None for any number.
            here: settings that say where this machine keeps its data.
            told: called with every trial that has ended.
        """
        self.writer, self.limit, self._here, self._told = writer, limit, here, told
        self.running: dict[int, Running] = {}
        self.study = writer.record()
        self._since, self._done, self._kept = running_time(), 0, 0.0
        self.exhausted = False  # whether the limit is reached

    @property
    def counted(self) -> int:
        """Trials that count for the limit."""
        return sum(map(counts, self.study.trials))

    @property
    def done(self) -> int:
        """Those of them that have ended."""
        return sum(counts(trial) and trial.state != "running" for trial in self.study.trials)

    def next(self, worker: str) -> tuple[int, TrialRequest] | None:
        """Draws the next trial."""
        if self.limit is not None:
            self.study = self.writer.record()  # another machine may have drawn one
            self.exhausted = self.counted >= self.limit
            if self.exhausted:
                return None
        self._check_hope()
        trial, drawn = self.writer.ask(worker)
        if self._is_surplus(trial.number):
            self.writer.put_back(trial)
            self.exhausted = True
            return None
        seed = seed_at(self.writer.seed, "trial", trial.number)
        config = trial_config(self.writer.base, drawn, seed)
        self.running[trial.number] = Running(trial, running_time())
        return trial.number, TrialRequest({**settings(config), **self._here})

    def at(self, tag: int, generation: int, score: float | None, error: float | None) -> str:
        """Notes an evaluation; "pruned" where the pruner ends the trial."""
        running = self.running[tag]
        running.generation = generation
        if score is None:
            return ""
        if all(self.study.measure.better(score, before) for _, before in running.curve):
            running.error = error
        running.curve.append((generation, score))
        return "pruned" if self.writer.prunes(running.trial, generation, score) else ""

    def ended(self, tag: int, ended: TrialEnd, seconds: float) -> None:
        """Writes how a trial ended."""
        running = self.running.pop(tag)
        self.writer.tell(running.trial, ended.state, running.curve, ended.reason, seconds, running.error)
        self.study = self.writer.record()
        self._done += 1
        if self._done % _TRIM_EVERY == 0:
            trim(user_cache("xla"), _CACHE_SIZE)
        self._told(self.study.trials[tag])

    def keep(self) -> None:
        """Writes the curves of running trials, every few seconds: to write each evaluation would cost more."""
        if running_time() - self._kept < _KEEP:
            return
        self._kept = running_time()
        for running in self.running.values():
            if len(running.curve) > running.kept:
                self.writer.keep(running.trial, running.curve)
                running.kept = len(running.curve)

    def durations(self) -> list[float]:
        """Seconds of the trials that have ended, and estimates for those that run."""
        own_end = [trial for trial in self.study.trials if trial.state in ("complete", "pruned")]
        ended = [trial.seconds for trial in own_end if trial.seconds]
        return ended + [running.spent() + rest for running, rest in self._estimates()]

    def rests(self) -> list[float]:
        """Estimated seconds that the running trials still need, where there is an estimate."""
        return [rest for _, rest in self._estimates()]

    def rate(self) -> float:
        """Trials a minute, in this session."""
        return 60 * self._done / (running_time() - self._since)

    def _is_surplus(self, number: int) -> bool:
        """Whether another machine drew the last trial of the limit between our look at the study and our draw."""
        return self.limit is not None and sum(map(counts, self.writer.record().trials[:number])) >= self.limit

    def _estimates(self) -> list[tuple[Running, float]]:
        generations = self.writer.base.generations
        return [(trial, rest) for trial in self.running.values() if (rest := trial.left(generations)) is not None]

    def _check_hope(self) -> None:
        """Raises ConfigError where all of the first trials have failed."""
        trials = self.study.trials
        if len(trials) >= _PATIENCE and all(trial.state == "failed" for trial in trials):
            raise ConfigError(
                f"all {len(trials)} trials so far have failed, the last one so: {trials[-1].reason}; mend the space "
                "in a new study"
            )
