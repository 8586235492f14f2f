"""A study on disk: where it lies, and reading it as plain values. Optuna is imported late, JAX not at all."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nograd.formats import parse_duration
from nograd.measures import Measure, measure_of
from nograd.search.records import Dimension, Study, Trial, TrialState, Winner
from nograd.search.sessions import SILENCE, Session, alive, worked
from nograd.types import ConfigError, RunError

if TYPE_CHECKING:
    import optuna

MARK, DATABASE = "study.json", "study.db"
_FORMAT = "nograd-study-2"
# Attributes of the study and of its trials; the rest is Optuna's own.
RECORD, SESSION, CONFIRMED, BEGIN, CURVE, END = "record", "session/", "confirmed/", "begin", "curve", "end"
LOST = "lost: the process that ran it has ended"


class Place(NamedTuple):
    """Where a study lies."""

    path: Path  # of its directory
    url: str  # of its database
    name: str  # in the database


def place_of(path: str | Path) -> Place:
    """The place of a study directory. Raises RunError where it is none."""
    path = Path(path)
    try:
        mark = json.loads((path / MARK).read_text("utf-8"))
        if mark["format"] != _FORMAT:
            raise RunError(f"{path}/{MARK} is of another version ({mark['format']}); use the nograd that wrote it")
        url, name = mark["storage"] or local_url(path), mark["name"]
        if not (isinstance(url, str) and isinstance(name, str)):
            raise TypeError(f"storage and name must be text, got {url!r} and {name!r}")
        return Place(path, url, name)
    except FileNotFoundError:
        raise RunError(f"{path} is not a study: it has no {MARK}; name one that nograd search wrote") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"cannot read {path}/{MARK}: {error}; it is not a study that nograd wrote") from error


def is_study(path: str | Path) -> bool:
    """Whether the directory holds a study."""
    return (Path(path) / MARK).is_file()


def mark_text(place: Place) -> str:
    """What study.json says; a database beside it is found wherever the directory is moved."""
    storage = None if place.url == local_url(place.path) else without_password(place.url)
    return json.dumps({"format": _FORMAT, "name": place.name, "storage": storage}, indent=2) + "\n"


def local_url(path: Path) -> str:
    """The database in the study directory itself."""
    return f"sqlite:///{path.absolute() / DATABASE}"


def without_password(url: str) -> str:
    """The URL as it may stand in a file or a message."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1@", url)


def load_study(path: str | Path) -> Study:
    """The study of a directory that `nograd search` wrote.

    Raises:
        RunError: the path is no study, or its database cannot be read.
    """
    return read(place_of(path))


def read(place: Place) -> Study:
    """The study as it stands; no connection is left open. Raises RunError, as `load_study` does."""
    study = open_study(place)
    with closed_after(study._storage), one_line(place.url):
        return study_record(place, study)


def open_study(place: Place, **options: Any) -> "optuna.Study":
    """Optuna's study. Raises RunError where there is none of this name."""
    optuna = quiet_optuna()
    if place.url == local_url(place.path) and not (place.path / DATABASE).is_file():
        raise RunError(f"{place.path} has lost its database {DATABASE}; restore it, or start a new study")
    with one_line(place.url):
        if is_missing(place.url):  # opening it would make an empty one
            raise RunError(
                f"there is no database {without_password(place.url)} with the study {place.name}; check --storage"
            )
        storage = database(place.url)
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
def closed_after(storage: "optuna.storages.BaseStorage") -> Iterator[None]:
    """Closes the storage's connections at the end of the block."""
    try:
        yield
    finally:
        close(storage)


def close(storage: "optuna.storages.BaseStorage") -> None:
    """Closes all connections, which Optuna leaves to the end of the process: a server has few, and counts them."""
    storage.remove_session()
    storage._backend.engine.dispose()  # type: ignore[attr-defined]  # of the cache around an RDBStorage


def database(url: str) -> "optuna.storages.BaseStorage":
    """The storage behind a URL. Raises ConfigError where its driver is missing or the URL is none."""
    optuna = quiet_optuna()
    import sqlalchemy

    # A writer of SQLite holds the whole file, for milliseconds: the others wait for it.
    waits = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    try:
        return optuna.storages.get_storage(optuna.storages.RDBStorage(url, engine_kwargs=waits))
    except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
        raise ConfigError(
            f"--storage {without_password(url)} needs a driver: {error.__cause__ or error}; install it with pip, or "
            "name another, such as postgresql+psycopg://"
        ) from error
    except (ValueError, sqlalchemy.exc.ArgumentError) as error:
        raise ConfigError(
            f"--storage cannot be {without_password(url)}: {error}; write DIALECT://USER@HOST/DATABASE"
        ) from error


def is_missing(url: str) -> bool:
    """Whether it is SQLite's, and its file is not there."""
    if not url.startswith("sqlite"):
        return False
    import sqlalchemy

    file = sqlalchemy.engine.make_url(url).database
    return file not in (None, "", ":memory:") and not Path(str(file)).is_file()


def quiet_optuna() -> Any:
    """Optuna, whose own lines would break the display."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@contextmanager
def one_line(url: str) -> Iterator[None]:
    """Errors of the database (full, read-only, gone, locked) as a RunError."""
    quiet_optuna()
    import sqlalchemy
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except (StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
        cause = error.__cause__ or error
        said = str(getattr(cause, "orig", None) or cause).strip().partition("\n")[0]
        raise RunError(
            f"cannot use the study's database {without_password(url)}: {said}; make room or permit it, then the same "
            "command goes on"
        ) from error


@contextmanager
def ours(place: Place) -> Iterator[None]:
    """What cannot be read as nograd writes it, as a RunError: a database may hold anybody's studies."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"the study {place.name} in {without_password(place.url)} is not one that nograd wrote "
            f"({type(error).__name__}: {error}); name another"
        ) from error


def study_record(place: Place, study: "optuna.Study") -> Study:
    """The whole study as plain values."""
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
            trials=[_trial(frozen, known) for frozen in drawn],
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


def is_lost(frozen: "optuna.trial.FrozenTrial", known: dict[str, Session]) -> bool:
    """Whether a trial stands as running, and whoever ran it has ended."""
    if frozen.state.is_finished():
        return False
    now, mark = time.time(), frozen.user_attrs.get(BEGIN, {}).get("session")
    if mark in known:
        return not alive(known[mark], now)
    # Drawn a moment ago, or its command died in that very moment.
    return frozen.datetime_start is None or now - frozen.datetime_start.timestamp() > SILENCE


def _trial(frozen: "optuna.trial.FrozenTrial", known: dict[str, Session]) -> Trial:
    begin, end = frozen.user_attrs.get(BEGIN, {}), frozen.user_attrs.get(END, {})
    curve = [(generation, score) for generation, score in end.get("curve") or frozen.user_attrs.get(CURVE, [])]
    state: TrialState = end.get("state") or ("failed" if frozen.state.is_finished() else "running")
    reason = end.get("reason")
    if frozen.state.name == "WAITING":
        state, reason = "stopped", "put back"
    elif is_lost(frozen, known) or (frozen.state.is_finished() and not end):
        state, reason = "failed", LOST
    return Trial(
        number=frozen.number,
        state=state,
        settings=begin.get("settings", dict(frozen.params)),
        value=max((score for _, score in curve), default=None),
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
        test_intervals=[(row["test_interval"][0], row["test_interval"][1]) for row in rows],
    )


def confirmed_key(trial: int, seed: int) -> str:
    """The attribute that one more training of a winner stands under."""
    return f"{CONFIRMED}{trial}/{seed}"


def _dimension(fields: dict[str, Any]) -> Dimension:
    """JSON has lists where a Dimension has tuples."""
    when = tuple((parent, tuple(among)) for parent, among in fields["when"])
    return Dimension(**{**fields, "choices": tuple(fields["choices"]), "when": when})
