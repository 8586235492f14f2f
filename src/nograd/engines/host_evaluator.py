"""The part of an evaluation that no program can do: a share's episodes, played on the host.

It is made from JSON alone (the environment's name and the rules of the episodes) and calls two compiled programs, so
a worker knows neither the user's model nor the task. It stands where a compiled `evaluate` would.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import jax
import numpy as np

from nograd.core.types import EngineError, NogradError
from nograd.envs import Lanes, lanes
from nograd.envs.normalization import Tally
from nograd.envs.rollout import Pulse, episode_seeds, play
from nograd.envs.spec import World, from_portable, summary

Call = Callable[..., Any]


class Rollout:
    """Evaluates the members of some chunks: (fixed, published, generation, start, count) -> what is found of them.

    Args:
        order: what `Episodes.host` says.
        members: the program that makes the members of a chunk.
        act: the program that gives their actions.
    """

    def __init__(self, order: dict[str, Any], members: Call, act: Call) -> None:
        self._order, self._members, self._act = order, members, act
        self._world: World = from_portable(order["world"])
        self._lanes: Lanes | None = None
        self.tell: Callable[[], None] | None = None  # told now and then that the work goes on; None: an alarm is set

    def __call__(self, fixed: Sequence[Any], published: Sequence[Any], number: Any, start: Any, count: Any) -> Any:
        """What is found, zeros outside of the span of chunks."""
        chunks, size, width = self._order["shape"]
        fitness, lengths = (np.zeros((chunks, size, width), np.float32) for _ in range(2))
        found, at_hand = [fitness, lengths], jax.device_put(list(published))
        if self._order["moments"]:
            shape = tuple(self._order["world"]["observation"]["shape"])
            found += [np.zeros((chunks, *rest), np.float32) for rest in ((), shape, shape)]
        for chunk in range(int(start), int(start) + int(count)):
            parts = self._chunk(fixed, at_hand, int(number), chunk)
            for whole, part in zip(found, parts, strict=True):
                whole[chunk] = np.reshape(part, whole.shape[1:])
        return found

    def _chunk(self, fixed: Sequence[Any], published: Sequence[Any], number: int, chunk: int) -> list[Any]:
        """Fitness and length of each seat of a chunk, and the moments of what all of them saw."""
        order = self._order
        per = order["shape"][1] * order["shape"][2]
        held = self._members(fixed, published, np.int32(number), np.int32(chunk))
        seats = np.arange(chunk * per, (chunk + 1) * per)
        words = np.asarray(fixed[-1])
        tally = Tally() if order["moments"] else None
        returns, lengths, rounds = np.zeros(per), np.zeros(per), np.zeros(per)
        real = np.flatnonzero(seats < order["members"])
        turn, playing = 0, real
        while len(playing):
            episodes = np.arange(turn * order["episodes"], (turn + 1) * order["episodes"])
            seeds = episode_seeds(words, np.array([number]), seats, episodes)
            played = self._played(held, seeds, playing, tally)
            returns[playing] += played[0].sum(1)
            lengths[playing] += played[1].sum(1)
            rounds[playing] += 1
            turn += 1
            playing = playing[(lengths[playing] < order["member_steps"]) & np.isfinite(returns[playing])]
        fitness = (returns - order["bonus"] * lengths) / np.maximum(rounds * order["episodes"], 1)
        return [fitness, lengths, *(tally.moments() if tally else ())]

    def _played(
        self, held: Sequence[Any], seeds: np.ndarray, seats: np.ndarray, tally: Tally | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns and lengths [seats, episodes] of the episodes of some seats."""
        shown = self._world.observation
        per, episodes = seeds.shape
        everyone = len(seats) == per
        buffer = np.zeros((per, episodes, *shown.shape), shown.dtype)
        limit = int(np.asarray(held[0]))

        def act(observations: np.ndarray, step: int) -> np.ndarray:
            rows = observations.reshape(-1, episodes, *shown.shape)
            if not everyone:  # the program's shapes never change
                buffer[seats] = rows
                rows = buffer
            actions = np.asarray(self._act(held, rows, seeds, np.int32(step)))
            chosen = actions if everyone else actions[seats]
            return chosen.reshape(-1, *actions.shape[2:])

        with self._watched() as pulse:
            self._lanes = self._lanes or lanes(self._world)
            played = play(self._lanes, act, seeds[seats].reshape(-1).tolist(), limit, self._order["skip"], tally, pulse)
        return played.returns.reshape(-1, episodes), played.lengths.reshape(-1, episodes)

    @contextmanager
    def _watched(self) -> Iterator[Pulse]:
        """What fails meanwhile is said in one line, and so is a step that does not return. Raises EngineError."""
        with _alarm(self._order["deadline"], self._world.name, self.tell) as pulse:
            try:
                yield pulse
            except NogradError:
                raise
            except Exception as error:
                self._lanes = None
                raise EngineError(f"the environment {self._world.name} failed: {summary(error)}") from error


@contextmanager
def _alarm(seconds: float, name: str, tell: Callable[[], None] | None) -> Iterator[Pulse]:
    """A pulse; where nobody is told of it, and this is the main thread, its silence is an error."""
    if tell is not None or threading.current_thread() is not threading.main_thread():
        yield Pulse(tell or (lambda: None))
        return

    rung = False  # since the last pulse. One ring alone may be that this process was stopped meanwhile, by Ctrl-Z

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal rung
        if rung:
            raise EngineError(
                f"the environment {name} did not return from a step within {seconds:g} s; if it may take longer, use a "
                "larger --deadline"
            )
        rung = True
        _set(seconds / 2)

    def beaten() -> None:
        nonlocal rung
        rung = False
        _set(seconds / 2)

    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield Pulse(beaten)
    finally:
        _set(0.0)
        signal.signal(signal.SIGALRM, before)


def _set(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds)
