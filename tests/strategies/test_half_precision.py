"""Parameters in half precision: what is learnt in small steps is kept in float32, and a σ that is lost is told."""

import itertools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nograd as ng
from nograd.core.types import ConfigError

pytestmark = pytest.mark.slow  # minutes in all: before a release

KEY = jax.random.key(0)
STRATEGIES = {
    "openai-es": lambda: ng.openai_es(16, 0.1, optax.adam(1e-2), weight_decay=1e-3),
    "ars": lambda: ng.ars(16, 0.1, optax.rmsprop(1e-2)),
    "snes": lambda: ng.snes(16, 0.1),
    "pgpe": lambda: ng.pgpe(16, 0.1, optax.adam(1e-2)),
    "sep-cma-es": lambda: ng.sep_cma_es(16, 0.1),
}


FAST = [("openai-es", jnp.float16), ("sep-cma-es", jnp.bfloat16)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(*case, marks=[] if case in FAST else [pytest.mark.slow])
        for case in itertools.product(STRATEGIES, (jnp.float16, jnp.bfloat16))
    ],
)
def test_half_precision_follows_float32_and_stays_finite(name, kind):
    """Also where nothing is to be learnt for a while: a gradient of 0, or one whose square is no half float."""
    es = STRATEGIES[name]()
    tell = jax.jit(es.tell)
    half, single = (es.init({"w": jnp.linspace(-1, 1, 6).astype(one)}) for one in (kind, jnp.float32))
    for generation in range(4):
        fitness = jnp.zeros(16) if generation < 2 else jnp.arange(16.0) * 1e-5
        half, single = (tell(state, KEY, fitness)[0] for state in (half, single))
        assert half.params["w"].dtype == kind
        assert es.ask(half, KEY)["w"].dtype == kind
    floats = [leaf for leaf in jax.tree.leaves(half) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert all(np.all(np.isfinite(np.asarray(leaf, np.float32))) for leaf in floats)
    np.testing.assert_allclose(np.asarray(half.params["w"], np.float32), single.params["w"], atol=0.05)
    kept = [
        leaf.dtype for leaf in jax.tree.leaves(half._replace(params=())) if jnp.issubdtype(leaf.dtype, jnp.floating)
    ]
    assert set(kept) <= {jnp.dtype(jnp.float32)}
    structure = lambda tree: [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(tree)]  # noqa: E731
    assert structure(half) == structure(es.init({"w": jnp.zeros(6, kind)}))


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from([jnp.float16, jnp.bfloat16, jnp.float32]),
    size=st.floats(-4, 4).map(lambda power: float(10**power)),
    ratio=st.sampled_from([0.001, 0.01, 0.1, 10.0]),
)
def test_a_sigma_below_the_spacing_is_refused_and_one_above_it_is_not(kind, size, ratio):
    leaf = jnp.full(16, size, kind)
    spacing = float(jnp.abs(jnp.nextafter(leaf, jnp.full_like(leaf, jnp.inf)) - leaf)[0])
    es = ng.openai_es(8, max(ratio * spacing, 1e-30))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if ratio > 1:
            members = np.asarray(es.ask(es.init({"w": leaf}), KEY)["w"], np.float32)
            assert len(np.unique(members, axis=0)) == 8
        else:
            with pytest.raises(ConfigError, match=r"below the spacing of .* in parameter 'w'.* use sigma"):
                es.init({"w": leaf})


def test_one_parameter_of_several_that_cannot_move_is_a_warning():
    es = ng.openai_es(8, 1e-3)
    params = {"norm": jnp.full(8, 100.0, jnp.bfloat16), "w": jnp.zeros(8, jnp.bfloat16)}
    with pytest.warns(UserWarning, match="in parameter 'norm': 0.5 near 100"):
        es.init(params)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        es.init({"norm": jnp.full(8, 100.0), "w": jnp.zeros(8)})
        jax.eval_shape(es.init, params)
