"""Networks without a gradient beside their differentiable twins, which backpropagation trains: test accuracy on MNIST.

    python benchmarks/twins.py --seeds 0 1 2        # about 4 minutes on one core
    python benchmarks/mnist.py --presets staircase moe-hard attention-argmax int8 spiking --seeds 0 1 2

A twin has the same layers and the same number of parameters. Only the function without a useful derivative is
replaced: steps by a slope between the same two values, the choice of one expert or key by a softmax, the rounding by
none. Adam with a cosine schedule on the training images that nograd uses, without moving them; the learning rate is the
best of three by validation accuracy.
"""

import argparse
import json
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nograd as ng
from nograd.data import load
from nograd.models import Builder
from nograd.models.spiking import LEAK, STEPS
from nograd.models.staircase import HIGHEST

BATCH, EPOCHS, RATES = 128, 20, (0.001, 0.002, 0.004)
ONSET = (1 - LEAK) / (1 - LEAK**STEPS)  # the current from which a spiking unit spikes at all
TWINS: dict[str, Callable[[], Builder]] = {
    "int8": lambda: ng.mlp(256),
    "spiking": lambda: ng.mlp(256, activation=lambda x: jnp.clip((x - ONSET) / (1 - ONSET), 0, 1)),
    "staircase": lambda: ng.mlp(256, activation=lambda x: jnp.clip(x, 0, HIGHEST)),
    "moe-hard": lambda: ng.moe_hard(8, 64, gate=jax.nn.softmax),
    "attention-argmax": lambda: ng.attention_argmax(16, choose=jax.nn.softmax),
}


def trained(builder: Builder, seed: int, rate: float, data: Any) -> tuple[float, float]:
    """Validation and test accuracy after `EPOCHS` epochs of Adam."""
    model = builder((28, 28), 10)
    x, y = data["train"]
    steps = len(y) * EPOCHS // BATCH
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def loss(params: Any, rows: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(model.apply(params, x[rows]), y[rows]).mean()

    def step(carry: Any, key: jax.Array) -> tuple[Any, None]:
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params, jax.random.randint(key, (BATCH,), 0, len(y))), state)
        return (optax.apply_updates(params, updates), state), None

    first, rest = jax.random.split(jax.random.key(seed))
    params = model.init(first)
    whole = jax.jit(lambda carry, keys: jax.lax.scan(step, carry, keys)[0])
    params, _ = whole((params, optimizer.init(params)), jax.random.split(rest, steps))
    right = [np.mean(np.argmax(model.apply(params, own), 1) == labels) for own, labels in (data["val"], data["test"])]
    return 100 * float(right[0]), 100 * float(right[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--twins", nargs="+", default=list(TWINS), choices=list(TWINS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rates", nargs="+", type=float, default=list(RATES))
    arguments = parser.parse_args()
    mnist = load("mnist")
    parts = {name: (getattr(mnist, f"x_{name}"), getattr(mnist, f"y_{name}")) for name in ("train", "val", "test")}
    data = {name: (jnp.asarray(x, jnp.float32) / 255, jnp.asarray(y)) for name, (x, y) in parts.items()}
    for name in arguments.twins:
        tried = {rate: trained(TWINS[name](), arguments.seeds[0], rate, data) for rate in arguments.rates}
        rate = max(tried, key=lambda rate: tried[rate][0])
        tests = [tried[rate][1], *(trained(TWINS[name](), seed, rate, data)[1] for seed in arguments.seeds[1:])]
        print(json.dumps({"twin of": name, "rate": rate, "test": [round(test, 2) for test in tests]}), flush=True)


if __name__ == "__main__":
    main()
