"""The Keras model that was trained, with its weights, as Keras saves it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from nograd.core.types import ConfigError
from nograd.models.adapters.base import is_of, write
from nograd.runs.export.base import Exported, Files


def encode(given: Exported) -> Files:
    """What `model.save` writes. How the inputs are encoded is not in it.

    Raises:
        ConfigError: the run's network is no Keras model.
    """
    model = given.original()
    if not is_of(model, "keras", "Model"):
        raise ConfigError(
            f"the network {given.name} is no Keras model, which --format keras is for; use --format onnx, stablehlo or "
            "safetensors"
        )
    written = write(model, given.network.params, given.network.shape)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        written.save(path)
        return Files(path.read_bytes())
