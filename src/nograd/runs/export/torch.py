"""Export of a PyTorch module: its state_dict, to be loaded with `torch.load(…, weights_only=True)`."""

from importlib import import_module
from io import BytesIO

from nograd.runs.export.base import Exported, Files, trained_model


def encode(given: Exported) -> Files:
    """The content that `torch.save(module.state_dict(), …)` writes. The encoding of the inputs is not part of it.

    Raises:
        ConfigError: the run's network is no PyTorch module.
    """
    written = trained_model(given, "torch", "Module", "PyTorch module")
    buffer = BytesIO()
    import_module("torch").save(written.state_dict(), buffer)  # torch is installed, as the module is one of its own
    return Files(buffer.getvalue())
