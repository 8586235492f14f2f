"""Reads the settings of a run from its config.json."""

from nograd.config.settings import TrainConfig
from nograd.config.task_settings import reads
from nograd.core.types import RunError
from nograd.runs.directory import RunDirectory

_LEFT = ("fitness", "batch")


def saved_settings(directory: RunDirectory) -> TrainConfig:
    """The settings in the config.json of a run. Raises RunError if this version cannot read them."""
    try:
        saved = directory.config()["settings"]
        # Older versions recorded values for these settings also on environments, where nothing reads them.
        return TrainConfig(
            **{name: value for name, value in saved.items() if name not in _LEFT or reads(saved["task"], name)}
        )
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{directory.path}/config.json does not hold settings that this version reads ({error}); "
            "use the nograd version that wrote it"
        ) from error
