"""A network that --model module:function named, exported for its own library: the file predicts what the run does.

The function may return the library's own object, what an adapter made of it, or a function of the sizes of the data.
"""

import numpy as np
import pytest

import nograd as ng
from nograd.cli.main import main

FEW = ["--generations", "2", "--eval-every", "2", "--population", "8", "--engine", "inline", "--perturbation", "dense"]


def exported(task, model, form, folder):
    """(the run, its file), both by the command line."""
    for words in (
        ["train", task, "--model", model, "--out", str(folder / "run"), *FEW],
        ["export", str(folder / "run"), "--format", form],
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert not ended.value.code
    (path,) = (folder / "run").glob("network.*")
    return ng.load(folder / "run"), path


def examples(run):
    """(encoded examples, raw ones)."""
    x, data = run.examples("test")[0], run.config["data"]
    return (x.astype(np.float32) - np.float32(data["offset"])) * np.float32(data["scale"]), x


def agree(run, outputs, x):
    assert np.ptp(outputs, axis=0).max() > 1e-3  # they depend on what goes in
    np.testing.assert_allclose(outputs, run.outputs(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(outputs.argmax(1), run.predict(x))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, as it saves
@pytest.mark.parametrize("make", ["perceptron", pytest.param("frozen", marks=pytest.mark.slow)])
def test_the_file_of_a_keras_model_predicts_what_the_run_does(make, tmp_path):
    keras = pytest.importorskip("keras")
    run, path = exported("digits", f"kerasnets:{make}", "keras", tmp_path)
    encoded, x = examples(run)
    agree(run, np.asarray(keras.saving.load_model(path)(encoded.reshape(len(x), -1))), x)


def loaded(torch, path, module):
    module.load_state_dict(torch.load(path, weights_only=True))
    return module.eval()


@pytest.mark.parametrize(
    "make", ["perceptron", *(pytest.param(make, marks=pytest.mark.slow) for make in ("sized", "frozen"))]
)
def test_the_file_of_a_pytorch_module_predicts_what_the_run_does(make, tmp_path):
    torchnets = pytest.importorskip("torchnets")
    run, path = exported("digits", f"torchnets:{make}", "torch", tmp_path)
    encoded, x = examples(run)
    module = loaded(torchnets.torch, path, torchnets.stateful() if make == "frozen" else torchnets.perceptron())
    with torchnets.torch.no_grad():
        agree(run, module(torchnets.torch.from_numpy(encoded.reshape(len(x), -1))).numpy(), x)


@pytest.mark.parametrize("make", ["gru_rows", pytest.param("lstm_rows", marks=pytest.mark.slow)])
def test_the_file_of_a_pytorch_cell_predicts_what_the_run_does(make, tmp_path):
    """Step by step in PyTorch, from the first row of an image to the last."""
    torchnets = pytest.importorskip("torchnets")
    torch, nn = torchnets.torch, torchnets.nn
    run, path = exported("digits", f"torchnets:{make}", "torch", tmp_path)
    encoded, x = examples(run)
    cell = nn.GRUCell if make == "gru_rows" else nn.LSTMCell
    module = loaded(torch, path, torchnets.Remembering(cell, 8, 10, 8))
    zeros = torch.zeros(len(x), 8)
    carry = zeros if cell is nn.GRUCell else (zeros, zeros)
    with torch.no_grad():
        for row in range(8):
            outputs, carry = module(torch.from_numpy(encoded[:, row]), carry)
    agree(run, outputs.numpy(), x)


@pytest.mark.slow
def test_the_file_of_a_policy_with_memory_acts_as_the_run_does(tmp_path):
    pytest.importorskip("gymnasium")
    torchnets = pytest.importorskip("torchnets")
    torch = torchnets.torch
    run, path = exported("worlds:blind_cartpole", "torchnets:gru_policy", "torch", tmp_path)
    module, carry = loaded(torch, path, torchnets.Remembering(features=2, width=8)), torch.zeros(1, 8)
    x = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    outputs = []
    with torch.no_grad():
        for now in torch.from_numpy(x):
            one, carry = module(now[None], carry)
            outputs.append(one[0].numpy())
    agree(run, np.stack(outputs), x)
