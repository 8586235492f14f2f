"""Checks the keywords that `nograd.minimize` passes on as settings."""

from collections.abc import Mapping
from typing import Any

from nograd.config.merge import check_given
from nograd.core.types import ConfigError

# Arguments of scipy.optimize.minimize that do not exist here, with what to do instead.
_OF_SCIPY = {
    "args": "give functools.partial(fun, …), or a function of x alone", "method": "use strategy",
    "tol": "use tolfun and tolx", "options": "give each option by its name here, such as generations=100",
    "maxiter": "use generations", "jac": "leave it out, no gradient is used",
    "hess": "leave it out, no gradient is used", "hessp": "leave it out, no gradient is used",
    "constraints": "return NaN where a point is not allowed",
}  # fmt: skip


def check_names(settings: Mapping[str, Any]) -> None:
    """Raises ConfigError for a name that is not a setting; for an argument of SciPy's `minimize` with what to do."""
    for name in settings:
        if name in _OF_SCIPY:
            raise ConfigError(f"{name} is an argument of scipy.optimize.minimize, not of nograd's: {_OF_SCIPY[name]}")
    check_given(settings)
