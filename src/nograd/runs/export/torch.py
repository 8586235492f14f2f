"""The state_dict of the PyTorch module that was trained, which `torch.load(…, weights_only=True)` reads."""

from importlib import import_module
from io import BytesIO

from nograd.runs.export.base import Exported, Files, trained_model


def encode(given: Exported) -> Files:
    """What `torch.save(module.state_dict(), …)` writes. How the inputs are encoded is not in it.

    Raises:
        ConfigError: the run's network is no PyTorch module.
    """
    written = trained_model(given, "torch", "Module", "PyTorch module")
    buffer = BytesIO()
    import_module("torch").save(written.state_dict(), buffer)  # PyTorch is there: the module is of it
    return Files(buffer.getvalue())
