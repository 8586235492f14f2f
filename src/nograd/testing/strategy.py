"""Laws of a strategy with a dense perturbation: its functions are pure, and handle unusable fitness."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nograd.runs.checkpoint import load_checkpoint, save_checkpoint
from nograd.strategies.base import Strategy
from nograd.testing.laws import Law, bits, flat, laws_of, require

KEY = jax.random.key
_BAD = (np.nan, np.inf, -np.inf)

# Compiled once per strategy: equal strategies are equal tuples, so they share the compiled program.
ask = jax.jit(lambda es, state, key: es.ask(state, key), static_argnums=0)
tell: Any = jax.jit(lambda es, state, key, fitness: es.tell(state, key, fitness), static_argnums=0)


def strategy_laws(make: Callable[[], Strategy], still: bool = True) -> list[Law]:
    """The laws of a strategy, to be called one by one.

    Args:
        make: returns a strategy with a population of at least 8. It is called once by each law.
        still: whether equal fitness of all members must leave the mean exactly as it is.
    """
    laws = laws_of(
        (
            equal_arguments_give_equal_bits,
            members_are_the_mean_plus_their_own_noise,
            saved_and_loaded_it_goes_on_to_the_same_bits,
            a_state_begins_with_what_members_are_drawn_from,
            a_member_without_finite_fitness_is_as_if_it_never_was,
            nothing_finite_leaves_the_distribution_where_it_is,
        ),
        make,
    )
    return laws + laws_of((equal_fitness_is_no_news,), make, still)


def equal_arguments_give_equal_bits(make: Callable[[], Strategy]) -> None:
    """`tell` does not change its arguments; the same key and fitness give the same bits, other ones other bits."""
    es, state = _begun(make)
    before, fitness = bits(state), _fitness(es, 0)
    first, again = tell(es, state, KEY(7), fitness), tell(es, state, KEY(7), fitness)
    require(bits(first) == bits(again), "two calls of tell with equal arguments differ")
    require(bits(state) == before, "tell has changed the state that it was given")
    require(int(first[0].generation) == 1, "tell must count the generation")
    for key, values in ((8, fitness), (7, _fitness(es, 1))):
        other = tell(es, state, KEY(key), values)[0]
        require(bits(other.params) != bits(first[0].params), "another key or fitness must move the mean elsewhere")


def members_are_the_mean_plus_their_own_noise(make: Callable[[], Strategy]) -> None:
    """Single members can be drawn; a mirrored pair is symmetric about the mean; each generation has new draws."""
    es, state = _begun(make)
    state = tell(es, state, KEY(7), _fitness(es, 0))[0]
    everyone = jax.tree.map(np.asarray, ask(es, state, KEY(7)))
    chosen = np.array([5, 0, 3])
    some = jax.jit(es.ask)(state, KEY(7), chosen)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b[chosen], rtol=0, atol=1e-6), some, everyone)
    if es.dense.mirrored:
        middle = jax.tree.map(lambda leaf: (leaf[0::2] + leaf[1::2]) / 2, everyone)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a - b, 0, atol=1e-6), middle, state.params)
    later = ask(es, state._replace(generation=state.generation + 1), KEY(7))
    repeated = np.isin(np.asarray(later["w"]), everyone["w"])
    require(not repeated.any(), "another generation must have other draws")


def saved_and_loaded_it_goes_on_to_the_same_bits(make: Callable[[], Strategy]) -> None:
    """A state that was saved and loaded leads to the same bits, without a second compilation."""
    es, state = _begun(make)
    state = tell(es, state, KEY(7), _fitness(es, 0))[0]
    compiled = tell._cache_size()
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder, "state"), state, {})
        other, _ = load_checkpoint(Path(folder, "state"), jax.eval_shape(es.init, _params()))
    for generation in (1, 2):
        fitness = _fitness(es, generation)
        state, other = (tell(es, each, KEY(7), fitness)[0] for each in (state, other))
    require(bits(other) == bits(state), "a state that was saved and loaded goes on to other bits")
    require(tell._cache_size() == compiled, "tell was compiled again for a later generation")


def a_state_begins_with_what_members_are_drawn_from(make: Callable[[], Strategy]) -> None:
    """The leaves of the distribution are the first ones of the state, as engines require."""
    es, state = _begun(make)
    pairs = zip(es.leaves(state), jax.tree.leaves(state), strict=False)
    require(all(left is right for left, right in pairs), "the distribution's leaves must be the first of the state's")


def a_member_without_finite_fitness_is_as_if_it_never_was(make: Callable[[], Strategy]) -> None:
    """NaN, ∞ and −∞ as a fitness all have the same effect: the member is dropped, with its mirrored half."""
    es, state = _begun(make)
    damaged = [np.where(np.arange(es.size) == 3, np.float32(bad), _fitness(es, 1)) for bad in _BAD]
    results = [tell(es, state, KEY(7), fitness) for fitness in damaged]
    require({int(info.dropped) for _, info in results} == {1}, "one member was not finite, so `dropped` must be 1")
    require(all(bits(after) == bits(results[0][0]) for after, _ in results), "NaN, ∞ and −∞ must do the same")
    require(bool(np.all(np.isfinite(flat(results[0][0])))), "a fitness of NaN has reached the state")
    require(bits(results[0][0].params) != bits(state.params), "what the other members found must still move the mean")
    if es.dense.mirrored:
        damaged[0][2] = 1000.0
        after = tell(es, state, KEY(7), damaged[0])[0]
        require(bits(after) == bits(results[0][0]), "the finite half of a dropped pair must not matter")


def nothing_finite_leaves_the_distribution_where_it_is(make: Callable[[], Strategy]) -> None:
    """If no fitness is finite, neither mean nor scale changes; the generation is counted."""
    es, state = _begun(make)
    after, info = tell(es, state, KEY(7), np.full(es.size, np.nan, np.float32))
    same = list(map(bits, es.leaves(after))) == list(map(bits, es.leaves(state)))
    require(same, "without any finite fitness the distribution has moved")
    require((int(info.dropped), int(after.generation)) == (es.size, 1), "all members are dropped, in one generation")
    require(float(info.gradient_norm) == 0.0, "without any finite fitness there is a gradient")
    require(bool(np.isnan(info.fitness_mean)), "the mean of no finite fitness must be NaN")


def equal_fitness_is_no_news(make: Callable[[], Strategy], still: bool) -> None:
    """Equal fitness of all members changes nothing, whatever its value."""
    es, state = _begun(make)
    for value in (0.1, -2.7):
        after, info = tell(es, state, KEY(7), np.full(es.size, value, np.float32))
        require(bool(np.all(np.isfinite(flat(after)))), "equal fitness has made the state NaN or infinite")
        if still:
            require(bits(after.params) == bits(state.params), "equal fitness of all members has moved the mean")
            require(float(info.gradient_norm) == 0.0, "equal fitness of all members has a gradient")


def _params() -> dict[str, jax.Array]:
    values = np.random.default_rng(0).normal(size=(3, 2))
    return {"w": jnp.asarray(values, jnp.float32), "b": jnp.ones(2)}


def _begun(make: Callable[[], Strategy]) -> tuple[Strategy, Any]:
    es = make()
    return es, es.init(_params())


def _fitness(es: Strategy, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=es.size).astype(np.float32)
