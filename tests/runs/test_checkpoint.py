"""Checkpoints: whole or refused, bit for bit, and no code is run by loading one."""

import os
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nograd.core.types import CheckpointError, RunError
from nograd.runs.checkpoint import checkpoint_meta, load_checkpoint, save_checkpoint
from nograd.runs.files import write_atomically
from nograd.strategies.openai_es import openai_es


def make_state(seed: int = 0, width: int = 5):
    keys = jax.random.split(jax.random.key(seed), 2)
    params = [{"kernel": jax.random.normal(keys[0], (3, width)), "bias": jax.random.normal(keys[1], (width,))}]
    # A transposed view: its memory is not in row order.
    params.append({"kernel": jnp.asarray(np.arange(6.0, dtype="f4").reshape(2, 3).T)})
    return openai_es(4, 0.1, optax.adam(0.1), weight_decay=0.1).init(params)


def assert_same_bits(left, right):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.parametrize("seed", range(3))
def test_what_is_saved_comes_back_bit_for_bit(tmp_path, seed):
    state, meta = make_state(seed), {"progress": {"seconds": 1.5, "best": None}, "identity": "a"}
    save_checkpoint(tmp_path / "c.safetensors", state, meta)
    loaded, loaded_meta = load_checkpoint(tmp_path / "c.safetensors", make_state(seed + 1))
    assert_same_bits(loaded, state)
    assert loaded_meta == meta == checkpoint_meta(tmp_path / "c.safetensors")


def test_a_part_can_be_read_alone(tmp_path):
    state = make_state()
    save_checkpoint(tmp_path / "c.safetensors", state, {})
    shapes = jax.eval_shape(lambda: state.params)
    assert_same_bits(load_checkpoint(tmp_path / "c.safetensors", shapes, part="params")[0], state.params)


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, make_state(), {})
    content = path.read_bytes()
    for length in [0, 1, 7, 8, 9, len(content) // 4, len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="truncated or damaged") as error:
            load_checkpoint(path, make_state())
        assert "\n" not in str(error.value)


def test_every_changed_byte_is_found(tmp_path):
    """Of the arrays, of the meta, of the header around them: refused, or it makes no difference."""
    path, state, meta = tmp_path / "c.safetensors", make_state(), {"progress": {"evaluations": 384}}
    save_checkpoint(path, state, meta)
    content = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    refused = 0
    for position in (*range(start), *range(start, len(content), 13)):
        damaged = content.copy()
        damaged[position] ^= 1
        path.write_bytes(damaged)
        try:
            loaded, told = load_checkpoint(path, make_state())
        except CheckpointError as error:
            assert "\n" not in str(error)  # noqa: PT017
            refused += 1
        else:
            assert position < start
            assert_same_bits(loaded, state)
            assert told == meta
    assert refused > 0.9 * start


def test_a_checkpoint_of_the_first_format_is_still_read(tmp_path):
    import hashlib

    from safetensors.numpy import save_file

    array, digest = np.arange(3.0, dtype="f4"), hashlib.sha256()
    digest.update(f"w {array.dtype} {array.shape}\n".encode() + array.tobytes())
    header = {"format": "nograd-checkpoint-1", "meta": '{"a": 1}', "sha256": digest.hexdigest()}
    save_file({"w": array}, tmp_path / "c.safetensors", header)
    loaded, meta = load_checkpoint(tmp_path / "c.safetensors", {"w": jnp.zeros(3)})
    assert (loaded["w"].tolist(), meta) == ([0.0, 1.0, 2.0], {"a": 1})


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    path = tmp_path / "c.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError):
        load_checkpoint(path, make_state())
    assert not (tmp_path / "exploded").exists()


def test_another_model_is_refused_by_name_and_shape(tmp_path):
    save_checkpoint(tmp_path / "c.safetensors", make_state(width=5), {})
    with pytest.raises(CheckpointError, match=r"'params/0/bias' is float32\[5\] there and float32\[6\] here"):
        load_checkpoint(tmp_path / "c.safetensors", make_state(width=6))
    with pytest.raises(CheckpointError, match="another model or optimizer"):
        load_checkpoint(tmp_path / "c.safetensors", {"else": jnp.zeros(3)})


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3)}, tmp_path / "c.safetensors")
    with pytest.raises(CheckpointError, match="not a nograd checkpoint"):
        load_checkpoint(tmp_path / "c.safetensors", make_state())


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load_checkpoint(tmp_path / "c.safetensors", make_state())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device") as error:
        write_atomically(path, b"new")
    assert str(path) in str(error.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
