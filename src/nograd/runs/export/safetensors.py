"""Export of the parameters by name, with a JSON description of the data. `--init` can read the file."""

import numpy as np
from safetensors.numpy import save

from nograd.core.trees import plain_names
from nograd.runs.export.about import about_text
from nograd.runs.export.base import Exported, Files
from nograd.runs.parameters import CONTEXT
from nograd.tasks.network import named_arrays


def encode(given: Exported) -> Files:
    """A tensor for each parameter, named by its path. The metadata hold `about` with the `data` of config.json."""
    network = given.network
    context = {f"{CONTEXT}/{name}": array for name, array in network.context.items()}
    params = named_arrays(network.params)
    shown = dict(zip(plain_names(list(params)), params.values(), strict=True))
    arrays = {name: np.asarray(a, order="C") for name, a in (shown | context).items()}
    return Files(save(arrays, {"about": about_text(given, data=dict(network.record))}))
