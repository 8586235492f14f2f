"""A study as the process at work on it writes it: trials drawn, reported and ended, signs of life, the winner."""

import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import StudyDirection as Direction
from optuna.trial import TrialState as OptunaState

from nograd.config.settings import TrainConfig, settings
from nograd.core.clock import running_time
from nograd.core.metrics import measure_of
from nograd.core.types import ConfigError
from nograd.tuning.samplers import make_pruner, make_sampler, suggest
from nograd.tuning.settings import Terms
from nograd.tuning.space import draw
from nograd.tuning.study import read
from nograd.tuning.study.database import close, closed_after, one_line, open_database
from nograd.tuning.study.lifetime import left_behind, name_of
from nograd.tuning.study.location import StudyLocation, without_password
from nograd.tuning.study.records import Dimension, Study, Trial, TrialState
from nograd.tuning.study.sessions import BEAT, LOOK, Watch, begun, has_gone, worked

Curve: TypeAlias = list[tuple[int, float]]  # (generation, validation score)

# Optuna's samplers learn from what was pruned, at its last evaluation, and a stopped trial is no different.
_STATES: dict[TrialState, OptunaState] = {
    "complete": OptunaState.COMPLETE,
    "pruned": OptunaState.PRUNED,
    "stopped": OptunaState.PRUNED,
    "failed": OptunaState.FAIL,
}


def create(place: StudyLocation, record: dict[str, Any]) -> None:
    """A new study. Raises ConfigError where there is one of this name, RunError where none can be."""
    with one_line(place.url), closed_after(made := open_database(place.url)):
        try:
            direction = Direction.MAXIMIZE if measure_of(record).higher else Direction.MINIMIZE
            study = optuna.create_study(storage=made, study_name=place.name, direction=direction)
        except optuna.exceptions.DuplicatedStudyError:
            raise ConfigError(
                f"there is a study {place.name} in {without_password(place.url)} already; work on it with "
                f"--join {place.name}, or name another --out"
            ) from None
        study.set_user_attr(read.RECORD, record)


class StudyWriter:
    """Writes one session's work into a study. Every write is durable when it returns."""

    def __init__(
        self,
        place: StudyLocation,
        space: Sequence[Dimension],
        base: TrainConfig,
        terms: Terms,
        elapsed: float,
        mark: uuid.UUID | None = None,
    ) -> None:
        self.place, self.space, self.base, self.seed = place, space, base, terms.seed
        mark = mark or uuid.uuid4()
        sampler = make_sampler(terms.sampler, space, terms.seed, mark.fields[0])
        pruner = make_pruner(terms.pruner, base.eval_every, base.generations)
        self._pruning = terms.pruner != "none"
        self._study = read.open_study(place, sampler=sampler, pruner=pruner)
        self._storage = self._study._storage
        self._mark = name_of(mark)
        self._count_the_killed()
        self._session = begun(self._sessions().values(), elapsed)
        self._clock = running_time() - elapsed
        self._last = self._looked = float("-inf")
        self._watch = Watch()
        self.beat()

    # The session ------------------------------------------------------------------------------------------

    def beat(self, ended: bool = False) -> None:
        """A sign of life now and then, which also counts the time spent; and a look at the others' signs."""
        if not ended and time.monotonic() - self._last < BEAT:
            return
        self._last = time.monotonic()
        self._session = self._session._replace(last=self._session.start + self._elapsed(), ended=ended)
        with one_line(self.place.url):
            self._study.set_user_attr(f"{read.SESSION}{self._mark}", list(self._session))
            if not ended and time.monotonic() - self._looked >= LOOK:
                self._looked = time.monotonic()
                self._watch.look(read.signs(self._unfinished(), read.sessions(self._study.user_attrs)))

    def _count_the_killed(self) -> None:
        """Counts the time of commands that were killed, as far as the database has not heard of it."""
        known = self._sessions()
        # What the database knows of comes first: the time of the others follows after all of it.
        for path, mark, left in sorted(left_behind(self.place.path), key=lambda found: found[1] not in known):
            if mark == self._mark or not has_gone(left):
                continue
            if (session := known.get(mark)) is None and all(map(has_gone, known.values())):
                session = left._replace(start=worked(known.values()))  # it was killed before it could write there
            if session is not None:
                known[mark] = session._replace(last=max(session.last, session.start + left.last))
                with one_line(self.place.url):
                    self._study.set_user_attr(f"{read.SESSION}{mark}", list(known[mark]))
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes its connections."""
        close(self._storage)

    def spent(self) -> float:
        """Seconds of work on the study, over all sessions."""
        known = self._sessions() | {self._mark: self._session._replace(last=self._session.start + self._elapsed())}
        return worked(known.values())

    def renew(self, record: dict[str, Any]) -> None:
        """The record with changed terms."""
        with one_line(self.place.url):
            self._study.set_user_attr(read.RECORD, record)

    def bury(self) -> list[int]:
        """Ends the trials whose process has died; returns their numbers."""
        with one_line(self.place.url):
            known, silent = read.sessions(self._study.user_attrs), self._watch.silent()
            lost = [frozen.number for frozen in self._unfinished() if read.is_lost(frozen, known, silent, self._mark)]
            for number in lost:
                self._study.tell(number, state=OptunaState.FAIL, skip_if_finished=True)
        return lost

    def unsure(self) -> set[str]:
        """The machines whose sessions run trials, as it stands, and have given no sign of life since this one began.

        Of a trial that has no session yet, any that is at work may have drawn it a moment ago.
        """
        with one_line(self.place.url):
            known = read.sessions(self._study.user_attrs)
            watched = read.signs(self._unfinished(), known)
        unheard = [mark for mark in watched if not self._watch.heard(mark)]
        others = read.at_work(known, self._mark)
        return {session.machine for mark in unheard for session in ([known[mark]] if mark in known else others)}

    # Trials -----------------------------------------------------------------------------------------------

    def ask(self, worker: str) -> tuple[optuna.Trial, dict[str, Any]]:
        """The next trial and its drawn settings."""
        with one_line(self.place.url):
            trial = self._study.ask()
            drawn = draw(self.space, lambda dimension: suggest(trial, dimension), self.base)
            begin = {"session": self._mark, "worker": worker, "start": round(self.spent(), 3), "settings": drawn}
            trial.set_user_attr(read.BEGIN, begin)
        return trial, drawn

    def put_back(self, trial: optuna.Trial) -> None:
        """Leaves a drawn trial to whoever draws next: the number and its settings are not lost."""
        with one_line(self.place.url):
            self._storage.set_trial_state_values(trial._trial_id, OptunaState.WAITING)

    def prunes(self, trial: optuna.Trial, generation: int, score: float) -> bool:
        """Whether the pruner would end the trial at this evaluation."""
        if not self._pruning:
            return False
        with one_line(self.place.url), suppress(UpdateFinishedTrialError):
            trial.report(score, generation)
            return trial.should_prune()
        return True  # buried by another session, while this process was halted

    def keep(self, trial: optuna.Trial, curve: Curve) -> None:
        """Writes what a running trial has learnt so far."""
        with one_line(self.place.url), suppress(UpdateFinishedTrialError):
            trial.set_user_attr(read.CURVE, curve)

    def tell(
        self,
        trial: optuna.Trial,
        state: TrialState,
        curve: Curve,
        reason: str,
        seconds: float,
        error: float | None = None,
    ) -> None:
        """Writes how a trial ended; its value is the best of the curve, with a standard error where it has one."""
        end = {"state": state, "reason": reason, "seconds": round(seconds, 3), "curve": curve, "error": error}
        with one_line(self.place.url), suppress(UpdateFinishedTrialError):
            best = max if self._study.direction == Direction.MAXIMIZE else min
            value = best(score for _, score in curve) if state == "complete" else None
            trial.set_user_attr(read.END, end)
            if curve and _STATES[state] == OptunaState.PRUNED and not self._pruning:
                trial.report(curve[-1][1], curve[-1][0])  # what Optuna's samplers know a pruned trial by
            self._study.tell(trial, value, state=_STATES[state], skip_if_finished=True)

    def record(self) -> Study:
        """The study as it stands."""
        with one_line(self.place.url):
            return read.study_record(self.place, self._study, self._watch.silent(), self._mark)

    # The winner -------------------------------------------------------------------------------------------

    def choose(self, trial: Trial, config: TrainConfig, seeds: list[int]) -> None:
        """Writes who won, and the seeds that it is to be trained on again."""
        winner = {"trial": trial.number, "settings": settings(config), "seeds": seeds}
        with one_line(self.place.url):
            self._study.set_user_attr("winner", winner)

    def confirm(self, trial: int, seed: int, figures: dict[str, Any]) -> None:
        """Writes one more training of the winner."""
        with one_line(self.place.url):
            self._study.set_user_attr(read.confirmed_key(trial, seed), {"seed": seed, **figures})

    def confirmed(self, trial: int) -> list[int]:
        """The seeds that a trial was trained on again so far, whoever is the winner."""
        with one_line(self.place.url):
            kept = self._study.user_attrs
        start = f"{read.CONFIRMED}{trial}/"
        return [int(key.removeprefix(start)) for key in kept if key.startswith(start)]

    def _sessions(self) -> dict[str, Any]:
        with one_line(self.place.url):
            return read.sessions(self._study.user_attrs)

    def _unfinished(self) -> "list[optuna.trial.FrozenTrial]":
        return self._study.get_trials(deepcopy=False, states=(OptunaState.RUNNING,))

    def _elapsed(self) -> float:
        return running_time() - self._clock


def counts(trial: Trial) -> bool:
    """Whether it counts for --trials: it came to its own end, or is on its way there."""
    return trial.state != "stopped" and trial.reason != read.LOST
