"""Networks as pairs of pure functions. `apply` returns logits; a softmax belongs to the fitness."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.trees import leaf_names
from nograd.types import Key, ModelError, Params

Shape: TypeAlias = tuple[int, ...]
Activation: TypeAlias = Callable[[Array], Array]


class Model(NamedTuple):
    """`init(key) -> params`, a tree of floating-point arrays; `apply(params, x [batch, *features]) -> outputs`."""

    init: Callable[[Key], Params]
    apply: Callable[[Params, Any], Any]


class Builder(NamedTuple):
    """A network that takes its sizes from the data: `build(input shape, classes) -> Model`."""

    spec: str | None  # what the command line and config.json call it; None where words cannot say it
    build: Callable[[Shape, int], Model]

    def __call__(self, shape: Shape, classes: int) -> Model:
        return self.build(shape, classes)


_glorot = jax.nn.initializers.glorot_uniform()


def mlp(*hidden: int, activation: Activation = jax.nn.relu) -> Builder:
    """x → (Dense(h) → activation) for h in hidden → Dense(classes). Glorot-uniform weights, zero biases.

    Args:
        hidden: the widths of the hidden layers; none gives multinomial logistic regression.
        activation: any function of an array, with a derivative or without.
    """
    if any(width < 1 for width in hidden):
        raise ModelError(f"mlp widths must be at least 1, got {','.join(map(str, hidden))}; try mlp:128")

    def build(shape: Shape, classes: int) -> Model:
        widths = [int(np.prod(shape)), *hidden, classes]

        def apply(params: Params, x: Float[Array, "batch *features"]) -> Float[Array, "batch classes"]:
            x = x.reshape(x.shape[0], -1)
            for layer in params[:-1]:
                x = activation(_dense(layer, x))
            return _dense(params[-1], x)

        return Model(lambda key: _init_layers(key, widths), apply)

    spec = ":".join(["mlp", ",".join(map(str, hidden))]) if hidden else "mlp"
    return Builder(spec if activation is jax.nn.relu else None, build)


def linear2() -> Builder:
    """x → Dense(inputs), no activation → Dense(classes): the blog's network, 623,290 parameters on MNIST."""

    def build(shape: Shape, classes: int) -> Model:
        return mlp(int(np.prod(shape)), activation=lambda x: x)(shape, classes)

    return Builder("linear2", build)


def cnn() -> Builder:
    """Conv 5×5×8, ReLU, pool 2 → Conv 5×5×16, ReLU, pool 2 → Dense(classes): 11,274 parameters on MNIST."""

    def build(shape: Shape, classes: int) -> Model:
        if len(shape) not in (2, 3) or min(shape[:2]) < 4:
            raise ModelError(
                f"cnn needs images [height, width] or [height, width, channels] of at least 4 × 4 pixels, "
                f"got examples of shape {shape}; use mlp:128"
            )
        height, width, channels = (*shape, 1)[:3]
        features = (height // 4) * (width // 4) * 16

        def init(key: Key) -> Params:
            keys = jax.random.split(key, 3)
            return {
                "conv1": _init_kernel(keys[0], (5, 5, channels, 8)),
                "conv2": _init_kernel(keys[1], (5, 5, 8, 16)),
                "dense": _init_kernel(keys[2], (features, classes)),
            }

        def apply(params: Params, x: Float[Array, "batch height width ..."]) -> Float[Array, "batch classes"]:
            x = x.reshape(x.shape[0], height, width, channels)
            for name in ("conv1", "conv2"):
                x = _pool(jax.nn.relu(_conv(params[name], x)))
            return _dense(params["dense"], x.reshape(x.shape[0], -1))

        return Model(init, apply)

    return Builder("cnn", build)


def parse_model(spec: str) -> Builder:
    """The builder that a command line's `mlp:128,64`, `linear2` or `cnn` names."""
    name, _, arguments = spec.partition(":")
    if name == "mlp":
        try:
            return mlp(*(int(width) for width in arguments.split(",") if width))
        except ValueError:
            raise ModelError(f"mlp takes whole widths such as mlp:128,64, got {spec!r}") from None
    if name in ("linear2", "cnn") and not arguments:
        return {"linear2": linear2, "cnn": cnn}[name]()
    raise ModelError(
        f"unknown model {spec!r}; choose mlp:128,64 (any widths), linear2, cnn, or module:function of your own"
    )


def build_model(model: Model | Builder | Callable[[Shape, int], Model], shape: Shape, classes: int) -> Model:
    """A `Model` as it is, a builder for this data; checked by a dry run of shapes.

    Raises:
        ModelError: `init` or `apply` fails, or the outputs are not [batch, classes] of floats.
    """
    built = model if isinstance(model, Model) else model(shape, classes)
    if not isinstance(built, Model):
        raise ModelError(f"a model must be nograd.Model(init, apply), got {type(built).__name__}")
    example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    try:
        params = jax.eval_shape(built.init, jax.eval_shape(lambda: jax.random.key(0)))
        outputs = jax.eval_shape(built.apply, params, example)
    except Exception as error:
        summary = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"the model fails on examples of shape {shape}: {summary}") from error
    _check_leaves(params)
    if getattr(outputs, "shape", None) != (2, classes):
        raise ModelError(
            f"the model must return [batch, {classes}] for this data, got {getattr(outputs, 'shape', outputs)} "
            "for a batch of 2; set its last layer to the number of classes"
        )
    return built


def _check_leaves(params: Params) -> None:
    leaves = jax.tree.leaves(params)
    if not leaves:
        raise ModelError("the model has no parameters to train; its init must return a tree of float arrays")
    for name, leaf in zip(leaf_names(params), leaves, strict=True):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise ModelError(
                f"parameter {name!r} is {leaf.dtype}, and ES perturbs floating-point arrays only; "
                "convert it or keep it out of the parameters"
            )


def _init_layers(key: Key, widths: Sequence[int]) -> list[dict[str, Array]]:
    keys = jax.random.split(key, len(widths) - 1)
    return [_init_kernel(k, pair) for k, pair in zip(keys, itertools.pairwise(widths), strict=True)]


def _init_kernel(key: Key, shape: Shape) -> dict[str, Array]:
    return {"kernel": _glorot(key, shape, jnp.float32), "bias": jnp.zeros(shape[-1])}


def _dense(layer: dict[str, Array], x: Array) -> Array:
    return x @ layer["kernel"] + layer["bias"]


def _conv(layer: dict[str, Array], x: Array) -> Array:
    """A stride-1 convolution that keeps the image's size, as one product with the patches of x.

    XLA's own convolution takes about twice as long on a CPU, more where a mirrored pair has two kernels; and
    the patches of the data are the same for the whole population.
    """
    rows, columns, _, features = layer["kernel"].shape
    height, width = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0)))
    shifted = [padded[:, i : i + height, j : j + width] for i in range(rows) for j in range(columns)]
    patches = jnp.concatenate(shifted, axis=-1)
    return patches @ layer["kernel"].reshape(-1, features) + layer["bias"]


def _pool(x: Float[Array, "batch height width channels"]) -> Array:
    """The largest of each 2×2 block; an odd last row or column is left out."""
    batch, height, width, channels = x.shape
    blocks = x[:, : height // 2 * 2, : width // 2 * 2].reshape(batch, height // 2, 2, width // 2, 2, channels)
    return blocks.max((2, 4))
