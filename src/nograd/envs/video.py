"""Records episodes as a video file, without a screen."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nograd.core.types import ConfigError
from nograd.envs.find import environment
from nograd.envs.source_envpool import pool_of
from nograd.envs.spec import INSTALL, EnvSpec, from_portable
from nograd.envs.vector import vector_env
from nograd.envs.watch import summary

_SECOND = 30  # frames of the video of the video
FORMATS = (".mp4", ".gif")
_DRAWN = "drawn"  # what the trial process prints if it succeeds
_PATIENCE = 120  # seconds that the trial process has to render one picture, imports included


class VideoRecorder:
    """A `VectorEnv` of one environment that records every step as a frame of a video file.

    Raises:
        ConfigError: the file cannot be written, or the environment cannot be rendered on this machine.
    """

    def __init__(self, env_spec: EnvSpec, path: Path) -> None:
        if path.suffix.lower() not in FORMATS:
            raise ConfigError(f"--video cannot be {path}; name a file that ends in .mp4 or .gif")
        if not os.environ.get("DISPLAY"):
            os.environ.setdefault("MUJOCO_GL", "egl")  # read when MuJoCo is first imported
        os.environ.setdefault("IMAGEIO_FFMPEG_NO_PREVENT_SIGINT", "1")  # it would fork beside JAX's threads
        try:
            import imageio.v2 as imageio
        except ImportError:
            raise ConfigError(f"--video needs imageio; install it by {INSTALL}") from None
        self._name = env_spec.name
        self._vector_env = vector_env(drawable(env_spec), render_mode="rgb_array")
        try:
            timing: dict[str, Any] = {"fps": _SECOND} if path.suffix.lower() == ".mp4" else {"duration": 1000 / _SECOND}
            self._writer = imageio.get_writer(path, **timing)
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot write --video {path}: {summary(error)}") from error

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        """Resets the environment, and records the first frame."""
        observations = self._vector_env.reset(seeds)
        self._take()
        return observations

    def step(self, live: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Steps the environment, and records a frame."""
        answer = self._vector_env.step(live, actions)
        self._take()
        return answer

    def render(self) -> np.ndarray | None:
        """See `VectorEnv`."""
        return self._vector_env.render()

    def close(self) -> None:
        """Closes the environment, and completes and closes the file."""
        self._writer.close()
        self._vector_env.close()

    def _take(self) -> None:
        try:
            frame = self._vector_env.render()
        except Exception as error:
            raise _cannot(self._name, summary(error)) from error
        if frame is None:
            raise _cannot(self._name, "its render() gives no picture")
        self._writer.append_data(np.asarray(frame, np.uint8))


def drawable(env_spec: EnvSpec) -> EnvSpec:
    """The `EnvSpec` itself, or Gymnasium's of the same id if EnvPool cannot render it on this machine.

    EnvPool's MuJoCo ends the whole process if OpenGL is missing, so another process tries it. Raises ConfigError if
    neither can render it.
    """
    if env_spec.source != "envpool":
        return env_spec
    order = json.dumps(env_spec.portable)
    command = [sys.executable, "-P", "-m", __name__, order]
    try:
        tried = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        tried = subprocess.CompletedProcess(command, 1, "", f"EnvPool rendered no picture within {_PATIENCE} s")
    if tried.returncode == 0 and _DRAWN in tried.stdout:
        return env_spec
    said = [line for line in (tried.stdout + tried.stderr).splitlines() if line.strip()]
    try:
        other = environment(env_spec.name, source="gymnasium", **json.loads(env_spec.options))
    except ConfigError:
        other = None
    if other is None or (other.observation, other.action.shape) != (env_spec.observation, env_spec.action.shape):
        raise _cannot(env_spec.name, said[-1] if said else f"EnvPool ends with {tried.returncode}")
    return other


def _draw(order: str) -> None:
    """Renders one picture of an EnvPool environment; run in the trial process."""
    pool = pool_of(from_portable(json.loads(order)), [0], render_mode="rgb_array")
    pool.reset()
    print(_DRAWN, np.asarray(pool.render()).shape)


def _cannot(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"cannot render {name} here: {why}; MuJoCo without a screen needs EGL (libegl1) or OSMesa (MUJOCO_GL=osmesa)"
    )


if __name__ == "__main__":
    _draw(sys.argv[1])
