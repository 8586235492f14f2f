"""Episodes as a film, without a screen."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nograd.envs.lanes import lanes
from nograd.envs.world import INSTALL, World, summary
from nograd.types import ConfigError

_SECOND = 30  # frames
FORMATS = (".mp4", ".gif")


class Filmed:
    """One lane whose every step is a frame of a file.

    Raises:
        ConfigError: the file is none that can be written, or the environment cannot be rendered here.
    """

    def __init__(self, world: World, path: Path) -> None:
        if path.suffix.lower() not in FORMATS:
            raise ConfigError(f"--video cannot be {path}; name a file that ends in .mp4 or .gif")
        if not os.environ.get("DISPLAY"):
            os.environ.setdefault("MUJOCO_GL", "egl")  # read when MuJoCo is first imported
        try:
            import imageio.v2 as imageio
        except ImportError:
            raise ConfigError(f"--video needs imageio; install it by {INSTALL}") from None
        self._name = world.name
        self._lanes = lanes(world, render_mode="rgb_array")
        try:
            timing: dict[str, Any] = {"fps": _SECOND} if path.suffix.lower() == ".mp4" else {"duration": 1000 / _SECOND}
            self._writer = imageio.get_writer(path, **timing)
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot write --video {path}: {summary(error)}") from error

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        """Begins an episode."""
        observations = self._lanes.reset(seeds)
        self._take()
        return observations

    def step(self, live: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One step, one frame."""
        answer = self._lanes.step(live, actions)
        self._take()
        return answer

    def render(self) -> np.ndarray | None:
        """See `Lanes`."""
        return self._lanes.render()

    def close(self) -> None:
        """The file is whole."""
        self._writer.close()
        self._lanes.close()

    def _take(self) -> None:
        try:
            frame = self._lanes.render()
        except Exception as error:
            raise ConfigError(self._cannot(summary(error))) from error
        if frame is None:
            raise ConfigError(self._cannot("its render() gives no picture"))
        self._writer.append_data(np.asarray(frame, np.uint8))

    def _cannot(self, why: str) -> str:
        return f"cannot render {self._name} here: {why}; MuJoCo without a screen needs EGL or OSMesa (MUJOCO_GL=osmesa)"
