"""A network that --model module:function named, exported for its own library: the file predicts what the run does."""

import numpy as np
import pytest

import nograd as ng
from nograd.cli.main import main

FEW = ["--generations", "2", "--eval-every", "2", "--population", "8", "--engine", "inline", "--perturbation", "dense"]


def exported(model, form, folder):
    """(the run, its file, encoded examples, raw ones), all by the command line."""
    for words in (
        ["train", "digits", "--model", model, "--out", str(folder / "run"), *FEW],
        ["export", str(folder / "run"), "--format", form],
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert not ended.value.code
    run = ng.load(folder / "run")
    (path,) = (folder / "run").glob("network.*")
    x, data = run.examples("test")[0], run.config["data"]
    encoded = (x.astype(np.float32) - np.float32(data["offset"])) * np.float32(data["scale"])
    return run, path, encoded.reshape(len(x), -1), x


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, as it saves
def test_the_file_of_a_keras_model_predicts_what_the_run_does(tmp_path):
    keras = pytest.importorskip("keras")
    run, path, encoded, x = exported("kerasnets:perceptron", "keras", tmp_path)
    outputs = np.asarray(keras.saving.load_model(path)(encoded))
    np.testing.assert_allclose(outputs, run.outputs(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(outputs.argmax(1), run.predict(x))
    assert len(np.unique(outputs.argmax(1))) > 1


def test_the_file_of_a_pytorch_module_predicts_what_the_run_does(tmp_path):
    torchnets = pytest.importorskip("torchnets")
    run, path, encoded, x = exported("torchnets:perceptron", "torch", tmp_path)
    module = torchnets.perceptron()
    module.load_state_dict(torchnets.torch.load(path, weights_only=True))
    with torchnets.torch.no_grad():
        outputs = module(torchnets.torch.from_numpy(encoded)).numpy()
    np.testing.assert_allclose(outputs, run.outputs(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(outputs.argmax(1), run.predict(x))
    assert len(np.unique(outputs.argmax(1))) > 1
