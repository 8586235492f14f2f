"""Ask and tell: any black box on earth. Here a function with steps, whose gradient is zero almost everywhere."""

import jax
import jax.numpy as jnp
import optax

import nograd as ng


def fitness(params):
    """Minus the number of unit steps between the parameters and (3, −2, 5): integers only."""
    return -jnp.sum(jnp.abs(jnp.round(params["x"]) - jnp.array([3.0, -2.0, 5.0])))


es = ng.openai_es(population=64, sigma=0.5, optimizer=optax.adam(0.3))
ask, tell = jax.jit(es.ask), jax.jit(es.tell)  # traced once
state = es.init({"x": jnp.zeros(3)})
key = jax.random.key(0)  # one key for the whole run: the generation is part of every address
for _ in range(60):
    members = ask(state, key)  # {"x": [64, 3]}
    state, info = tell(state, key, jax.vmap(fitness)(members))

print(f"fitness {fitness(state.params):.0f} at {jnp.round(state.params['x'])}")
assert fitness(state.params) == 0
