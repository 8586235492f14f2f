"""Cells of PyTorch: what they carry from step to step, in data sets and in environments."""

import numpy as np
import pytest
from torchnets import Remembering, nn, seeded, torch

import nograd as ng
from nograd.core.types import ModelError
from nograd.models import build_model, build_policy

X = np.random.default_rng(0).normal(size=(6, 5, 3)).astype(np.float32)  # [batch, time, features]
CELLS = {
    "gru": (nn.GRUCell, lambda *batch: torch.zeros(*batch, 4)),
    "lstm": (nn.LSTMCell, lambda *batch: (torch.zeros(*batch, 4), torch.zeros(*batch, 4))),
}


@pytest.mark.parametrize("kind", CELLS)
def test_outputs_over_a_sequence_are_its_own(kind):
    """Step by step as a policy, as the last step of a whole sequence, and after the values were written back."""
    cell, zeros = CELLS[kind]
    module = seeded(lambda: Remembering(cell))
    model = ng.from_torch(module, carry=zeros())
    steps, whole = build_policy(model, (3,), 2), build_model(model, (5, 3), 2)
    params, carry, own = steps.init(None), zeros(6), zeros(6)
    carry = tuple(map(np.asarray, carry)) if isinstance(carry, tuple) else carry.numpy()
    for now in range(5):
        outputs, carry = steps.apply(params, carry, X[:, now])
        with torch.no_grad():
            expected, own = module(torch.from_numpy(X[:, now]), own)
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(whole.apply(params, X), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(whole.apply(params, X[:1]), expected[:1], rtol=1e-5, atol=1e-6)


class Growing(Remembering):
    def forward(self, x, carry):
        outputs, carry = super().forward(x, carry)
        return outputs, torch.cat([carry, carry], 1)


class Alone(Remembering):
    def forward(self, x, carry):
        return super().forward(x, carry)[0]


class Wide(Remembering):
    def forward(self, x, carry):
        outputs, carry = super().forward(x, carry)
        return outputs, carry.double()


@pytest.mark.parametrize(
    ("make", "carry", "words"),
    [
        (Growing, torch.zeros(4), ["float32 [3, 4]", "float32 [3, 8]"]),
        (Wide, torch.zeros(4), ["float32 [3, 4]", "float64 [3, 4]"]),
        (lambda: Remembering(nn.LSTMCell), [torch.zeros(4)] * 2, ["PyTreeDef([*, *])", "PyTreeDef((*, *))"]),
        (Alone, torch.zeros(4), ["must return (outputs, carry)"]),
        (Remembering, torch.zeros(5), ["Remembering fails", "hidden"]),
        (Remembering, {"h": torch.zeros(4)}, ["a tuple of tensors", "dict"]),
        (Remembering, "zeros", ["real numbers"]),
        (Remembering, None, ["fails on an example", "carry"]),
    ],
)  # fmt: skip
def test_a_carry_that_cannot_be_is_one_line(make, carry, words):
    with pytest.raises(ModelError) as found:
        build_policy(ng.from_torch(seeded(make), carry=carry), (3,), 2)
    assert "\n" not in str(found.value)
    for word in words:
        assert word in str(found.value)


def test_it_plays_with_the_same_bits_on_any_number_of_workers(tmp_path):
    """CartPole without its velocities; and the module itself gets what was learnt."""
    pytest.importorskip("gymnasium")
    settings = {"population": 8, "generations": 3, "eval_episodes": 2, "episode_limit": "20", "eval_every": 3}
    one, two = (
        ng.train("worlds:blind_cartpole", model="torchnets:gru_policy", workers=n, out=tmp_path / n, **settings)
        for n in ("1", "2")
    )
    for name, array in one.params.params.items():
        np.testing.assert_array_equal(array, two.params.params[name])
    module = one.to(Remembering(features=2, width=8))
    np.testing.assert_array_equal(module.out.weight.detach(), one.params.params["out.weight"])
