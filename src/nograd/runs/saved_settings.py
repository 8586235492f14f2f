"""The settings that a run was started with, as its config.json has them."""

from nograd.config.settings import TrainConfig
from nograd.config.task_settings import reads
from nograd.core.types import RunError
from nograd.runs.directory import RunDirectory

_LEFT = ("fitness", "batch")


def saved_settings(directory: RunDirectory) -> TrainConfig:
    """The settings in a run's config.json. Raises RunError where they are of another version."""
    try:
        saved = directory.config()["settings"]
        # What an environment does not read was recorded with values of its own before.
        return TrainConfig(
            **{name: value for name, value in saved.items() if name not in _LEFT or reads(saved["task"], name)}
        )
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{directory.path}/config.json does not hold settings that this version reads ({error}); "
            "use the nograd version that wrote it"
        ) from error
