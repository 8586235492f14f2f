"""The Keras model that was trained, with its weights, as Keras saves it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from nograd.runs.export.base import Exported, Files, trained_model


def encode(given: Exported) -> Files:
    """What `model.save` writes. How the inputs are encoded is not in it.

    Raises:
        ConfigError: the run's network is no Keras model.
    """
    written = trained_model(given, "keras", "Model", "Keras model")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        written.save(path)
        return Files(path.read_bytes())
