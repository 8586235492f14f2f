"""The state_dict of the PyTorch module that was trained, which `torch.load(…, weights_only=True)` reads."""

from importlib import import_module
from io import BytesIO

from nograd.core.types import ConfigError
from nograd.models.adapters.base import is_of, write
from nograd.runs.export.base import Exported, Files


def encode(given: Exported) -> Files:
    """What `torch.save(module.state_dict(), …)` writes. How the inputs are encoded is not in it.

    Raises:
        ConfigError: the run's network is no PyTorch module.
    """
    module = given.original()
    if not is_of(module, "torch", "Module"):
        raise ConfigError(
            f"the network {given.name} is no PyTorch module, which --format torch is for; use --format onnx, stablehlo "
            "or safetensors"
        )
    written = write(module, given.network.params, given.network.shape)
    buffer = BytesIO()
    import_module("torch").save(written.state_dict(), buffer)  # PyTorch is there: the module is of it
    return Files(buffer.getvalue())
