"""The built-in networks by the words of the command line."""

from collections.abc import Callable

from nograd.core.types import ModelError
from nograd.models.base import Builder
from nograd.models.int8 import mlp_int8
from nograd.models.mlp import cnn, linear2, mlp
from nograd.models.oriented import oriented
from nograd.models.sign import mlp_sign
from nograd.models.spiking import mlp_spiking

_CHAINS: dict[str, Callable[..., Builder]] = {
    "mlp": mlp,
    "mlp-sign": mlp_sign,
    "mlp-int8": mlp_int8,
    "mlp-spiking": mlp_spiking,
    "oriented": oriented,
}
_WHOLE: dict[str, Callable[[], Builder]] = {"linear2": linear2, "cnn": cnn}


def is_built_in(spec: str) -> bool:
    """Whether the word before the colon is a built-in network's, so that the spec is not module:function."""
    return spec.partition(":")[0] in {*_CHAINS, *_WHOLE}


def parse_model(spec: str) -> Builder:
    """The builder that a command line's `mlp:128,64`, `mlp-int8:256`, `linear2` or `cnn` names."""
    name, _, arguments = spec.partition(":")
    if name in _CHAINS:
        try:
            widths = [int(width) for width in arguments.split(",") if width]
        except ValueError:
            raise ModelError(f"{name} takes whole widths such as {name}:128,64, got {spec!r}") from None
        return _CHAINS[name](*widths)
    if name in _WHOLE and not arguments:
        return _WHOLE[name]()
    raise ModelError(
        f"unknown model {spec!r}; choose mlp:128,64 (any widths), mlp-sign:128, mlp-int8:128, mlp-spiking:128, "
        "oriented:32,128, linear2, cnn, or module:function of your own"
    )
