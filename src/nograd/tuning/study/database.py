"""The database behind a study: opened, closed, and its errors in one line. Optuna is imported late."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nograd.core.types import ConfigError, RunError
from nograd.tuning.study.location import without_password

if TYPE_CHECKING:
    import optuna


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


def open_database(url: str) -> "optuna.storages.BaseStorage":
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
