"""A study in its database, read as plain values. Optuna is imported late, JAX not at all."""

from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nograd.core.metrics import Measure, measure_of
from nograd.core.text import parse_duration
from nograd.core.types import RunError
from nograd.tuning.study.database import close, closed_after, is_missing, one_line, open_database, quiet_optuna
from nograd.tuning.study.location import DATABASE, StudyLocation, local_url, place_of, without_password
from nograd.tuning.study.records import Dimension, Study, Trial, TrialState, Winner
from nograd.tuning.study.sessions import Session, has_gone, this_machine, worked

if TYPE_CHECKING:
    import optuna

# Attributes of the study and of its trials; the rest is Optuna's own.
RECORD, SESSION, CONFIRMED, BEGIN, CURVE, END = "record", "session/", "confirmed/", "begin", "curve", "end"
LOST = "lost: the process that ran it has ended"


def load_study(path: str | Path) -> Study:
    """The study of a directory that `nograd search` wrote.

    Raises:
        RunError: the path is no study, or its database cannot be read.
    """
    return read(place_of(path))


def read(place: StudyLocation) -> Study:
    """The study as it stands; no connection is left open. Raises RunError, as `load_study` does."""
    study = open_study(place)
    with closed_after(study._storage), one_line(place.url):
        return study_record(place, study)


def open_study(place: StudyLocation, **options: Any) -> "optuna.Study":
    """Optuna's study. Raises RunError where there is none of this name."""
    optuna = quiet_optuna()
    if place.url == local_url(place.path) and not (place.path / DATABASE).is_file():
        raise RunError(f"{place.path} has lost its database {DATABASE}; restore it, or start a new study")
    with one_line(place.url):
        if is_missing(place.url):  # opening it would make an empty one
            raise RunError(
                f"there is no database {without_password(place.url)} with the study {place.name}; check --storage"
            )
        storage = open_database(place.url)
        try:
            return optuna.load_study(study_name=place.name, storage=storage, **options)
        except BaseException as error:
            close(storage)
            if not isinstance(error, KeyError):
                raise
            raise RunError(
                f"there is no study {place.name} in {without_password(place.url)}; check --join and --storage"
            ) from None


@contextmanager
def ours(place: StudyLocation) -> Iterator[None]:
    """What cannot be read as nograd writes it, as a RunError: a database may hold anybody's studies."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"the study {place.name} in {without_password(place.url)} is not one that nograd wrote "
            f"({type(error).__name__}: {error}); name another"
        ) from error


def study_record(place: StudyLocation, study: "optuna.Study", silent: Set[str] = frozenset(), own: str = "") -> Study:
    """The whole study as plain values; for `silent` and `own` see `is_lost`."""
    attributes, drawn = study.user_attrs, study.get_trials(deepcopy=False)
    while drawn and drawn[-1].state.name == "WAITING":  # put back, for whoever draws next
        drawn = drawn[:-1]
    with ours(place):
        record, known = attributes[RECORD], sessions(attributes)
        terms = record["search"]
        return Study(
            path=place.path,
            name=place.name,
            task=record["base"]["task"],
            space=space_of(record),
            search=terms,
            base=record["base"],
            validation=record["validation"],
            budget_seconds=parse_duration(terms["budget"]) if terms["budget"] else None,
            spent_seconds=worked(known.values()),
            trials=[_trial(frozen, is_lost(frozen, known, silent, own), measure_of(record)) for frozen in drawn],
            winner=_winner(attributes, measure_of(record)),
            measure=measure_of(record),
        )


def space_of(record: dict[str, Any]) -> list[Dimension]:
    """The space in a study's record."""
    return [_dimension(fields) for fields in record["space"]]


def sessions(attributes: dict[str, Any]) -> dict[str, Session]:
    """The invocations that worked on a study, by their marks."""
    found = {key.removeprefix(SESSION): value for key, value in attributes.items() if key.startswith(SESSION)}
    return {mark: Session(*fields) for mark, fields in found.items()}


def is_lost(frozen: "optuna.trial.FrozenTrial", known: dict[str, Session], silent: Set[str], own: str = "") -> bool:
    """Whether a trial stands as running, and whoever ran it has ended.

    Args:
        frozen: the trial.
        known: the sessions of the study by their marks.
        silent: marks of those, and `unbegun` names of trials, that have been silent for too long; see `Watch`. Who
            has just opened the study cannot know of any.
        own: mark of the session that asks. It draws no trial meanwhile; where all others have gone, nobody does.
    """
    if frozen.state.is_finished():
        return False
    mark = frozen.user_attrs.get(BEGIN, {}).get("session")
    if mark in known:
        return has_gone(known[mark]) or mark in silent
    return unbegun(frozen.number) in silent or not at_work(known, own)


def at_work(known: dict[str, Session], own: str) -> list[Session]:
    """The other sessions that are not known to be over."""
    return [session for mark, session in known.items() if mark != own and not has_gone(session)]


def unbegun(number: int) -> str:
    """The name to watch a trial by that was drawn a moment ago, or whose command died in that very moment."""
    return f"trial {number}"


def signs(running: "list[optuna.trial.FrozenTrial]", known: dict[str, Session]) -> dict[str, float]:
    """What a `Watch` looks at: the last signs of life of those who run a trial, as far as it takes watching."""
    found: dict[str, float] = {}
    for frozen in running:
        mark = frozen.user_attrs.get(BEGIN, {}).get("session")
        if mark not in known:
            found[unbegun(frozen.number)] = 0.0
        elif known[mark].machine != this_machine() and not known[mark].ended:
            found[mark] = known[mark].last
    return found


def _trial(frozen: "optuna.trial.FrozenTrial", lost: bool, measure: Measure) -> Trial:
    begin, end = frozen.user_attrs.get(BEGIN, {}), frozen.user_attrs.get(END, {})
    curve = [(generation, score) for generation, score in end.get("curve") or frozen.user_attrs.get(CURVE, [])]
    state: TrialState = end.get("state") or ("failed" if frozen.state.is_finished() else "running")
    reason = end.get("reason")
    if frozen.state.name == "WAITING":
        state, reason = "stopped", "put back"
    elif lost or (frozen.state.is_finished() and not end):
        state, reason = "failed", LOST
    return Trial(
        number=frozen.number,
        state=state,
        settings=begin.get("settings", dict(frozen.params)),
        value=measure.best(score for _, score in curve),
        curve=curve,
        worker=begin.get("worker", ""),
        start=begin.get("start"),
        seconds=end.get("seconds"),
        reason=reason,
        standard_error=end.get("error"),
    )


def _winner(attributes: dict[str, Any], measure: Measure) -> Winner | None:
    """The last winner, with the seeds that it was trained on again so far."""
    if (chosen := attributes.get("winner")) is None:
        return None
    rows = [attributes[key] for seed in chosen["seeds"] if (key := confirmed_key(chosen["trial"], seed)) in attributes]
    return Winner(
        trial=chosen["trial"],
        settings=chosen["settings"],
        seeds=[row["seed"] for row in rows],
        val_scores=[row[measure.val] for row in rows],
        test_scores=[row[measure.test] for row in rows],
        test_intervals=[tuple(row["test_interval"] or (None, None)) for row in rows],
    )


def confirmed_key(trial: int, seed: int) -> str:
    """The attribute that one more training of a winner stands under."""
    return f"{CONFIRMED}{trial}/{seed}"


def _dimension(fields: dict[str, Any]) -> Dimension:
    """JSON has lists where a Dimension has tuples."""
    when = tuple((parent, tuple(among)) for parent, among in fields["when"])
    return Dimension(**{**fields, "choices": tuple(fields["choices"]), "when": when})
