"""A network of spiking neurons: leaky integrate-and-fire units with a hard threshold, and no surrogate gradient."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.types import Key, Params
from nograd.models.base import Builder, Model, Shape
from nograd.models.layers import chain_spec, dense, flat, init_layers, widths_of

STEPS = 8  # of time; the rate of a unit is a multiple of 1/8
LEAK = 0.9  # λ, the share of its voltage that a unit keeps for the next step
# Rates are small: without a gain, the third layer of spiking units would stay silent. With it, 15 to 45% of the
# units of every layer spike at the start, for images of pixels 0 to 1.
GAIN = 2.0


def spike_rates(current: Float[Array, "batch units"]) -> Float[Array, "batch units"]:
    """Mean over time of spikes [v ≥ 1], where v ← λ v + I, and v ← v − 1 after a spike (soft reset).

    The current I is constant, so a unit spikes at all where I ≥ (1 − λ) / (1 − λ⁸) = 0.18, and at every step
    where I ≥ 1 (Gerstner and Kistler 2002, Spiking Neuron Models, 4.1).

    Returns:
        Rates in {0, 1/8, …, 1}.
    """
    voltage = count = jnp.zeros_like(current)
    for _ in range(STEPS):  # unrolled: eight cheap steps, which XLA fuses into one loop over the units
        voltage = LEAK * voltage + current
        spikes = (voltage >= 1).astype(current.dtype)
        voltage = voltage - spikes
        count = count + spikes
    return count / STEPS


def mlp_spiking(*hidden: int) -> Builder:
    """x → (I = Dense(h) → spike rates of I over 8 steps) for h in hidden → Dense(classes) on the last rates.

    The input is a constant current, so each layer computes one product, outside of the loop over time.
    Weights start Glorot-uniform, twice as large between two layers of spiking units; biases zero.
    """

    def build(shape: Shape, classes: int) -> Model:
        widths = widths_of(shape, hidden, classes)

        def init(key: Key) -> Params:
            first, *others = init_layers(key, widths)
            between = [{**layer, "kernel": GAIN * layer["kernel"]} for layer in others[:-1]]
            return [first, *between, *others[-1:]]

        def apply(params: Params, x: Float[Array, " batch *features"]) -> Float[Array, "batch classes"]:
            x = flat(x)
            for layer in params[:-1]:
                x = spike_rates(dense(layer, x))
            return dense(params[-1], x)

        return Model(init, apply)

    return Builder(chain_spec("mlp-spiking", hidden), build)
