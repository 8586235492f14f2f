"""PyTorch modules as they are: what they compute, what is refused, and their values written back."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest
from adapters import assert_agrees, assert_refused, assert_trains, images
from torchnets import F, Function, Series, Words, convolutional, nn, perceptron, seeded, stateful, torch

import nograd as ng
from nograd.core.types import ModelError
from nograd.models import Builder, Model, build_model, from_torch
from nograd.models.adapters.torch import write

KEY = jax.random.key(0)
TOKENS = np.zeros((1, 64), int)
IMAGES = np.zeros((1, 1, 8, 8), "f4")


def call(module, x):
    with torch.no_grad():
        return module(torch.as_tensor(x)).numpy()


def slow(*values, **words):
    return pytest.param(*values, marks=pytest.mark.slow, **words)


# Outputs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "example"),
    [
        slow(perceptron, None),
        slow(convolutional, IMAGES),
        slow(Words, TOKENS),
        (Series, None),
        slow(lambda: Series(num_layers=2, bidirectional=True), None),
        slow(lambda: Series(nn.LSTM), None),
        slow(lambda: Series(nn.RNN, nonlinearity="relu", bias=False), None),
        slow(lambda: Series(nn.LSTM, num_layers=2, bidirectional=True), None),
    ],
)
def test_outputs_are_its_own(make, example):
    module, x = seeded(make), np.round(images(4) * 16)
    own = x if example is None else x.reshape(4, *example.shape[1:]).astype(example.dtype)
    model = build_model(from_torch(module, example), (8, 8), 10)
    assert_agrees(model, call(module, own), x)
    assert set(model.init(KEY)) == set(module.state_dict())


IMAGE, SERIES, VECTOR = (images(2, shape) for shape in ((4, 8, 8), (4, 9), (12,)))
VECTOR = 4 * VECTOR - 2
ACTIVATIONS = (
    F.relu, F.gelu, F.silu, F.elu, F.celu, F.selu, F.mish, F.softplus, F.hardtanh, F.hardswish, F.hardsigmoid,
    F.leaky_relu, F.relu6, F.logsigmoid, F.softsign, F.tanhshrink, F.hardshrink, F.softshrink, torch.erf, torch.expm1,
    torch.sin, torch.cos, torch.exp, torch.sign, torch.floor, torch.ceil, torch.trunc, torch.round, torch.square,
)  # fmt: skip
POOLS = (
    nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(3, 2, ceil_mode=True), nn.MaxPool2d(2, 1, dilation=2), nn.AvgPool2d(3, 2, 1),
    nn.AvgPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    nn.AvgPool2d(3, 2, divisor_override=4), nn.AdaptiveAvgPool2d((3, 1)), nn.AdaptiveMaxPool2d((3, 2)),
    nn.LPPool2d(2, 2),
)  # fmt: skip
CONVOLUTIONS = (
    lambda: nn.Conv2d(4, 6, 3, 2, 1, bias=False),
    lambda: nn.Conv2d(4, 6, (4, 3), padding="same", dilation=2),
    lambda: nn.Conv2d(4, 8, 3, groups=2, padding=1, padding_mode="circular"),
    lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2, dilation=2),
)
NORMS = (
    lambda: nn.GroupNorm(2, 4),
    lambda: nn.InstanceNorm2d(4, affine=True),
    lambda: nn.RMSNorm(8),
    lambda: nn.LocalResponseNorm(2),
    lambda: nn.PReLU(4),
)
FUNCTIONS = {
    "activations": (VECTOR, lambda x: sum(f(x) for f in ACTIVATIONS)),
    "arithmetic": (
        VECTOR,
        lambda x: (
            torch.add(x, x, alpha=2) - torch.rsub(x, 3) / x.abs().clamp(min=0.1) + x**2 + x.abs() ** 0.5 + 2**x
            + torch.remainder(x, 0.7) + torch.fmod(x, 0.7) + torch.div(x, 0.3, rounding_mode="trunc") + x // 0.3
            + torch.where(x > 0, x, -x) + torch.maximum(x, -x) + torch.lerp(x, 2 * x, 0.3) + torch.atan2(x, x + 2)
            + x.clamp(-0.5, 0.5) + (x > 0).float() + x.long() + x.masked_fill(x > 0, 0.5) + x.mul(2).add_(1).relu_()
        ),
    ),
    "reductions": (
        IMAGE.reshape(2, 4, 64),
        lambda x: (
            x.sum(2) + x.mean(2) + x.amax(2) + x.max(2)[0] + x.min(2).values + x.std(2) + x.var(2, unbiased=False)
            + x.norm(dim=2) + x.logsumexp(2) + (1 + x / 64).prod(2) + x.argmax(2) + x.cumsum(2)[..., 3]
            + x.topk(3)[0].sum(2) + x.sort(2, descending=True)[0][..., 2] + x.softmax(2)[..., 0]
            + x.log_softmax(2)[..., 0] + torch.einsum("bct,bdt->bc", x, x) + torch.bmm(x, x.mT).sum(2)
        ),
    ),
    "shapes": (
        IMAGE,
        lambda x: torch.cat([part.flatten(1) for part in (
            x.permute(0, 2, 3, 1).reshape(x.size(0), -1), torch.stack(x.unbind(1), 1), x.chunk(3, 1)[1], x.flip(2),
            x.split([1, 3], 1)[1], x.roll(2, 3), x.repeat(1, 2, 1, 1), F.pad(x, (1, 2, -1, 1)), x[:, :, ::2, 1:-1],
            F.pad(x, (1, 1, 1, 1), mode="reflect"), F.pad(x, (1, 1, 1, 1), mode="replicate"), x[:, [0, 2]],
            x.unsqueeze(2).squeeze(), x.mean(1, keepdim=True).expand(-1, 4, -1, -1), x.tril(), x.unfold(2, 3, 2),
            torch.gather(x, 3, torch.zeros_like(x[..., :2], dtype=torch.long)), x.index_select(1, torch.tensor([3, 1])),
            torch.zeros_like(x).scatter(1, x.argmax(1, keepdim=True), 1.0), x + torch.arange(8), F.unfold(x, 3),
            F.pixel_shuffle(x, 2), F.interpolate(x, scale_factor=2), F.interpolate(x, size=(5, 5), mode="bilinear"),
        )], 1),
    ),
    "pools": (IMAGE, lambda x, *layers: torch.cat([layer(x).flatten(1) for layer in layers], 1), *POOLS),
    "convolutions": (
        IMAGE,
        lambda x, *layers: torch.cat([layer(x).flatten(1) for layer in layers], 1),
        *(make() for make in CONVOLUTIONS),
    ),
    "norms": (IMAGE, lambda x, *layers: sum(layer(x) for layer in layers), *(make() for make in NORMS)),
    "one axis": (
        SERIES,
        lambda x, *layers: torch.cat([layer(x).flatten(1) for layer in layers], 1),
        *(nn.Conv1d(4, 3, 3, 2), nn.ConvTranspose1d(4, 6, 4, 3), nn.MaxPool1d(2), nn.AvgPool1d(2)),
        *(nn.AdaptiveAvgPool1d(4), nn.AdaptiveMaxPool1d(4)),
    ),
    "three axes": (
        IMAGE.reshape(2, 4, 4, 4, 4),
        lambda x, *layers: torch.cat([layer(x).flatten(1) for layer in layers], 1),
        *(nn.Conv3d(4, 3, 2), nn.MaxPool3d(2), nn.AvgPool3d(2), nn.AdaptiveAvgPool3d(1)),
    ),
    "masked attention": (
        SERIES[:, None],
        lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True)
        + F.scaled_dot_product_attention(x, x, x, torch.ones(4, 4, dtype=torch.bool).triu(1), scale=0.5),
    ),
    "cells": (VECTOR, lambda x, one, two: one(x) + two(x)[0], nn.GRUCell(12, 5), nn.LSTMCell(12, 5)),
    "weight norm": (VECTOR, lambda x, layer: layer(x), nn.utils.parametrizations.weight_norm(nn.Linear(12, 3))),
    "what stands in a copy": (
        VECTOR,
        lambda x: (lambda y: (y.__setitem__((slice(None), 0), 1.0), y)[1])(x.clone()),
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_operations_are_those_of_pytorch(name):
    x, *parts = FUNCTIONS[name]
    module = Function(*parts)
    model = from_torch(module, x)
    assert_agrees(model, call(module, x), x)


def test_a_batch_of_one_keeps_its_axis():
    module = Function(lambda x: (x * 2).unsqueeze(1).squeeze())
    model = from_torch(module, VECTOR)
    assert model.apply(model.init(KEY), VECTOR[:1]).shape == (1, 12)


@pytest.mark.slow
def test_the_length_of_a_batch_may_be_read():
    module = Function(lambda x, layer: layer(x.reshape(len(x), -1)), nn.Linear(64, 10))
    assert_agrees(build_model(module, (8, 8), 10), call(module, images(3)), images(3))


@pytest.mark.slow
def test_a_wrapper_of_any_arguments_keeps_its_names():
    module = nn.DataParallel(seeded(perceptron))
    model = build_model(module, (8, 8), 10)
    assert set(model.init(KEY)) == set(module.state_dict())
    assert_agrees(model, call(seeded(perceptron), images(3)), images(3))


# Parameters ----------------------------------------------------------------------------------------------


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.back = nn.Embedding(5, 4), nn.Linear(4, 5)
        self.back.weight = self.embed.weight

    def forward(self, tokens):
        return self.back(self.embed(tokens).mean(1))


def test_tied_parameters_are_one():
    module, x = seeded(Tied), np.array([[0, 3], [4, 4]])
    model = from_torch(module, x)
    params = model.init(KEY)
    assert set(params) == {"embed.weight", "back.bias"}
    changed = {name: value + 1 for name, value in params.items()}
    write(module, changed, ())
    assert module.back.weight is module.embed.weight
    np.testing.assert_allclose(model.apply(changed, x), call(module, x), rtol=1e-5)


@pytest.mark.slow
def test_what_needs_no_gradient_is_a_constant():
    module = seeded(perceptron)
    module[1].requires_grad_(False)
    model = from_torch(module)((8, 8), 10)
    assert set(model.init(KEY)) == {"3.weight", "3.bias"}
    assert_agrees(model, call(module, images(3)), images(3))


@pytest.mark.parametrize("make", [perceptron, pytest.param(stateful, id="stateful")])
def test_nothing_of_the_module_is_changed(make):
    module = seeded(make)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    number = torch.random.get_rng_state()
    model = from_torch(module, frozen=True)((8, 8), 10)
    jax.jit(model.apply)(model.init(KEY), images(3))
    assert torch.equal(torch.random.get_rng_state(), number)
    assert module.training
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


def test_parameters_are_written_back():
    trained, module = seeded(lambda: Series(nn.LSTM)), seeded(lambda: Series(nn.LSTM), 1).double()
    params = {name: np.asarray(value.detach()) for name, value in trained.named_parameters()}
    write(module, params, ())
    assert all(torch.equal(value.float(), trained.state_dict()[name]) for name, value in module.state_dict().items())
    with pytest.raises(ModelError, match=r"out\.bias missing, other unknown"):
        write(module, {"other": 0, **{name: value for name, value in params.items() if name != "out.bias"}}, ())
    with pytest.raises(ModelError, match=r"'out\.bias' has shape \(3,\), and \(10,\) in the module"):
        write(module, params | {"out.bias": np.zeros(3)}, ())


@pytest.mark.parametrize(
    ("module", "params", "words"),
    [
        (
            nn.Linear(3, 2),
            [{"kernel": np.zeros((3, 2)), "bias": np.zeros(2)}],
            r"weight missing, 0/bias, 0/kernel unknown",
        ),
        (nn.Linear(3, 2), {"Dense_0": {"kernel": np.zeros((3, 2))}}, "weight missing, Dense_0 unknown"),
        (nn.Linear(3, 2), np.zeros(3), r"weight missing, \(root\) unknown"),
        (nn.LazyLinear(2), {"weight": np.zeros((2, 3)), "bias": np.zeros(2)}, "no shape yet; call the module once"),
        (nn.Linear(3, 2).requires_grad_(False), {"weight": np.zeros((2, 3))}, "none missing, weight unknown"),
    ],
)
def test_parameters_of_another_library_or_module_are_one_line(module, params, words):
    before = {
        name: tensor.clone() for name, tensor in module.state_dict().items() if not hasattr(tensor, "materialize")
    }
    with pytest.raises(ModelError, match=words) as error:
        write(module, params, (3,))
    assert "\n" not in str(error.value)
    assert all(torch.equal(module.state_dict()[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_a_module_of_another_precision_keeps_it_and_its_mode_and_buffers(kind):
    """The values are those of the run, rounded to the module's own type."""
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).to(kind).eval()
    module[1].running_mean += 1
    params = {name: np.full(tensor.shape, 1 / 3, np.float32) for name, tensor in module.named_parameters()}
    write(module, params, (3,))
    assert not module.training
    assert all((tensor == torch.tensor(np.float32(1 / 3)).to(kind)).all() for tensor in module.parameters())
    assert all(tensor.dtype == kind for tensor in module.parameters())
    assert (module[1].running_mean == 1).all()


# State ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "layer", "example"),
    [
        (nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10)), "1", None),
        (nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(64, 10), nn.Dropout(0.5))), "1.1", None),
        slow(Words(dropout=0.1), "attend", TOKENS),
        slow(Series(num_layers=2, dropout=0.1), "layer", None),
        (Function(lambda x: F.dropout(x[:, 0], 0.1)), "Function", None),
        slow(Function(lambda x: torch.rand_like(x)[:, 0]), "Function", None),
        slow(Function(lambda x: torch.bernoulli(x)[:, 0]), "Function", None),
        slow(
            nn.Sequential(nn.Flatten(), nn.utils.parametrizations.spectral_norm(nn.Linear(64, 10))),
            "1.parametrizations.weight.0",
            None,
        ),
        slow(nn.Sequential(nn.Embedding(17, 10, max_norm=1.0), nn.AdaptiveAvgPool2d((1, 10))), "0", TOKENS),
    ],
)
def test_state_is_refused(module, layer, example):
    assert_refused(lambda: build_model(from_torch(module, example), (8, 8), 10), layer)


@pytest.mark.slow
def test_frozen_is_evaluation_mode_with_stored_statistics():
    module, x = seeded(stateful), images(4)
    module(torch.as_tensor(x))  # statistics of a batch
    model = build_model(from_torch(module, frozen=True), (8, 8), 10)
    assert set(model.init(KEY)) == {"1.weight", "1.bias", "3.weight", "3.bias"}
    expected = call(module.eval(), x)
    assert_agrees(model, expected, x)
    assert_agrees(build_model(module, (8, 8), 10), expected, x)  # it is in evaluation mode itself now


@pytest.mark.slow
def test_a_dropout_that_never_drops_is_no_state():
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.0), nn.Linear(64, 10))
    assert isinstance(build_model(module, (8, 8), 10), Model)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "word"),
    [(lambda x: F.dropout(x, 0.1), "F.dropout"), (lambda x: F.batch_norm(x, None, None, training=True), "LayerNorm")],
)
def test_what_stays_random_or_of_the_batch_in_evaluation_mode_is_refused(function, word):
    with pytest.raises(ModelError, match=word):
        from_torch(Function(function), VECTOR, frozen=True)


# Errors --------------------------------------------------------------------------------------------------


def loop(x):
    return torch.stack([row * 2 for row in x])


@pytest.mark.parametrize(
    ("module", "example", "words"),
    [
        (nn.Linear(3, 3).half(), None, "float16; call module.float()"),
        (nn.Linear(3, 3).double(), None, "float64; call module.float()"),
        (nn.Linear(3, 3, dtype=torch.complex64), None, "complex64, and ES trains real numbers"),
        (nn.Linear(3, 3, device="meta"), None, "on the device 'meta'.* module.cpu()"),
        (nn.LazyLinear(3), None, "no shape yet; call the module once"),
        (nn.Flatten(), None, "no parameters to train"),
        (nn.Linear(3, 3).requires_grad_(False), None, r"module\.requires_grad_\(True\)"),
        (nn.Linear(12, 3), VECTOR[:, :5], r"fails on an example of shape \(2, 5\).*2x5 and 12x3"),
        (nn.Linear(12, 3), VECTOR.astype(int), "int64.*from_torch"),
        (nn.Linear(12, 3), VECTOR.astype(complex), r"real numbers, got complex128"),
        (nn.Linear(12, 3), np.float32(1), r"of shape \(\)"),
        (nn.Linear(12, 3), VECTOR[:0], r"of shape \(0, 12\)"),
        (nn.Linear(12, 3), [[0.0], [1.0, 2.0]], "is no array"),
        (Function(lambda x: x.view(2, 3, 4)), VECTOR, "no batch but of 2 examples.*flatten"),
        (Function(lambda x: (x, x)[0] if x.sum() > 0 else x), VECTOR, "depends on values"),
        (Function(loop), VECTOR, "fixes the size of the batch"),
        slow(nn.GRU(9, 3), SERIES, "returns tuple"),
        slow(Function(lambda x, layer: layer(x)[0], nn.GRU(9, 3)), SERIES, "batch_first=True"),
        (nn.Sequential(nn.GRU(9, 3, batch_first=True)), SERIES, "returns tuple.*return that tensor alone"),
        (nn.Bilinear(12, 12, 3), VECTOR, "missing 1 required positional argument"),
        (
            Function(lambda x: torch.fft.rfft(x).abs()),
            VECTOR,
            "no rule for the operation '_fft_r2c.default'",
        ),
        (Function(lambda x, layer: layer(x, x), nn.Bilinear(12, 12, 3)), VECTOR, r"no rule .* in layer 'layers\.0'"),
        (nn.Linear, None, "takes a torch.nn.Module, got type"),
    ],
)
def test_bad_input_is_one_line(module, example, words, capfd):
    with pytest.raises(ModelError, match=words) as error:
        from_torch(module, example)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_a_network_of_another_shape_is_told_how_to_name_it():
    with pytest.raises(ModelError, match=r"pass from_torch\(module, example\)") as error:
        build_model(convolutional(), (8, 8), 10)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_lowering_that_computes_something_else_is_refused(monkeypatch):
    monkeypatch.setitem(from_torch.__globals__["evaluate"].__globals__["RULES"], "tanh", lambda x: x)
    with pytest.raises(ModelError, match="gives other outputs than in PyTorch"):
        from_torch(perceptron(), images(1))


# Training ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_raw_module_takes_the_data_s_shape():
    assert isinstance(from_torch(perceptron()), Builder)
    assert isinstance(build_model(perceptron(), (8, 8), 10), Model)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "example", "perturbation", "settings"),
    [
        (convolutional, IMAGES, ng.dense(0.05), {"population": 8}),
        (Words, TOKENS, ng.lowrank(sigma=0.05), {}),
        (Series, images(1), ng.node(sigma=0.05), {}),
    ],
)
def test_it_trains_and_comes_back(make, example, perturbation, settings, tmp_path):
    module = seeded(make)
    model = from_torch(module, example)
    start = model.init(KEY)
    run = ng.train(
        "digits", model=model, perturbation=perturbation, generations=3, batch=64, out=tmp_path / "run", **settings
    )
    assert any(not np.array_equal(run.params[name], value) for name, value in start.items())
    x = 16 * images(5)
    assert run.to(module) is module
    own = x.reshape(5, *example.shape[1:]).astype(example.dtype)
    np.testing.assert_allclose(model.apply(run.params, x), call(module, own), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_raw_module_trains(tmp_path):
    assert_trains(seeded(perceptron), tmp_path / "run")


@pytest.mark.slow
def test_the_example_of_the_docs_runs(tmp_path, monkeypatch):
    """Blocks with PyTorch are marked `py`, so that the page's others run where it is not installed."""
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "models.md").read_text("utf-8")
    blocks = re.findall(r"```py\n(.*?)```", text, re.S)
    assert blocks
    exec("\n".join(blocks), {"__name__": "__main__"})
