"""PyTorch modules for tests, and the reason for which those tests are left out where PyTorch is not installed."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is in no extra of CI (its install takes minutes): .[torch]")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, F401, N812

WORDS = 17


class Words(nn.Module):
    """Embedding, attention of several heads, LayerNorm: [batch, length] of word numbers to 10 outputs."""

    def __init__(self, words=WORDS, width=8, outputs=10, dropout=0.0):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.attend = nn.MultiheadAttention(width, 2, dropout=dropout, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, outputs)

    def forward(self, tokens):
        x = self.embed(tokens)
        x = self.norm(x + self.attend(x, x, x)[0])
        return self.out(x.mean(1))


class Series(nn.Module):
    """A recurrent layer over [batch, time, features], and its last output."""

    def __init__(self, layer=nn.GRU, features=8, outputs=10, **options):
        super().__init__()
        self.layer = layer(features, 6, batch_first=True, **options)
        self.out = nn.Linear(12 if options.get("bidirectional") else 6, outputs)

    def forward(self, x):
        return self.out(self.layer(x)[0][:, -1])


class Function(nn.Module):
    """A function of the inputs and of layers, times a parameter."""

    def __init__(self, function, *layers):
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)
        self.scale = nn.Parameter(torch.tensor(1.5))

    def forward(self, x):
        return self.function(x, *self.layers) * self.scale


def seeded(make, seed=0):
    """The module with the values that a seed gives."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def perceptron(features=64, outputs=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(features, 16), nn.Tanh(), nn.Linear(16, outputs))


def convolutional(channels=1, outputs=10, side=8):
    width = 4 * (side // 2) ** 2
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.LayerNorm(width),
        nn.Linear(width, outputs),
    )  # fmt: skip


def stateful():
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 10))


class Remembering(nn.Module):
    """One step of a cell of torch.nn: (x, carry) to (outputs, carry)."""

    def __init__(self, cell=nn.GRUCell, features=3, outputs=2, width=4):
        super().__init__()
        self.cell, self.out = cell(features, width), nn.Linear(width, outputs)

    def forward(self, x, carry):
        carry = self.cell(x, carry)
        return self.out(carry[0] if isinstance(carry, tuple) else carry), carry


def gru_rows():
    """A network with memory for digits, row by row."""
    import nograd as ng

    return ng.from_torch(seeded(lambda: Remembering(features=8, outputs=10, width=8)), carry=torch.zeros(8))


def lstm_rows():
    """As `gru_rows`, with a carry of two tensors, made for the sizes of the data."""
    import nograd as ng

    def make(shape, outputs):
        module = seeded(lambda: Remembering(nn.LSTMCell, shape[-1], outputs, 8))
        return ng.from_torch(module, carry=(torch.zeros(8), torch.zeros(8)))

    return make


def sized():
    """A module made for the sizes of the data."""
    return lambda shape, outputs: perceptron(shape[0] * shape[1], outputs)


def frozen():
    """Batch norm and dropout in evaluation mode."""
    import nograd as ng

    return ng.from_torch(seeded(stateful), frozen=True)


def gru_policy():
    """A policy for CartPole without its velocities, by the word module:function."""
    import nograd as ng

    return ng.from_torch(seeded(lambda: Remembering(features=2, width=8)), carry=torch.zeros(8))
