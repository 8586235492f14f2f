"""Export of a Keras model, as Keras saves it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from nograd.runs.export.base import Exported, Files, trained_model


def encode(given: Exported) -> Files:
    """The content that `model.save` writes. The encoding of the inputs is not part of it.

    Raises:
        ConfigError: the run's network is not a Keras model.
    """
    written = trained_model(given, "keras", "Model", "Keras model")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        written.save(path)
        return Files(path.read_bytes())
