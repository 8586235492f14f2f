"""What the workers of a generation send each other: parameters and sums, or fitness alone."""

import time
from typing import Any, Protocol

import jax
import numpy as np

from nograd.engines.base import Replicas
from nograd.engines.crew import Crew, Phase
from nograd.engines.programs import on_host
from nograd.engines.protocol import Answer, Epoch, Refused, Update
from nograd.engines.server import checksum
from nograd.engines.worker import Done, split
from nograd.engines.worker_handle import WorkerHandle
from nograd.strategies.base import State


class Exchange(Protocol):
    """How a crew computes what the update of the state needs."""

    def generation(self, crew: Crew, state: State) -> tuple[list[Any], list[Any]]:
        """(the results of all members, the fitness first; Σ w · ε)."""


class Sums:
    """The driver sends parameters; workers send back their members' results and partial sums."""

    def generation(self, crew: Crew, state: State) -> tuple[list[Any], list[Any]]:
        """(the results of all members, the fitness first; Σ w · ε)."""
        generation = crew.here.generation
        params, number = crew.here.published(state), np.int32(state.generation)
        if generation.halves:
            return crew.phase(Phase("both", number, params))
        evaluate = Phase("evaluate", number, params)
        found, _ = crew.phase(evaluate, crew.alone(evaluate) if on_host(crew.here.programs) else {})
        return found, crew.phase(Phase("estimate", number, params, found[0]))[1]


class Points:
    """The driver sends the points of all members; workers send back their results, from which the driver does the rest.

    For an engine here that is a `Drawing`.
    """

    def generation(self, crew: Crew, state: State) -> tuple[list[Any], list[Any]]:
        """(the results of all members, the fitness first; nothing)."""
        phase = Phase("evaluate", np.int32(state.generation), crew.here.published(state))
        return crew.phase(phase, crew.alone(phase))[0], []


class Scalars:
    """Algorithm 2 of Salimans et al. 2017: each worker keeps the state and computes the whole update; fitness is sent.

    It sends 4 bytes per member in place of 4 bytes per parameter, at the price of more arithmetic. A worker whose state
    differs from the driver's by a bit, as on other hardware or after a failed update, is sent the state again.

    Args:
        replicas: the transport.
    """

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas
        self.resynchronised = 0  # how often a worker held another state than it should have

    def generation(self, crew: Crew, state: State) -> tuple[list[Any], list[Any]]:
        """(the results of all members, the fitness first; Σ w · ε)."""
        if not crew.handles:
            return Sums().generation(crew, state)
        phase = Phase("evaluate", np.int32(state.generation), crew.here.generation.leaves(state))
        epoch = crew.epoch("state")
        own, *others = split(crew.chunks, 1 + len(crew.handles))
        times = [time.perf_counter()]
        self._load(crew, epoch, state)
        asked = crew.ask("evaluate", phase.number, others, {"state": epoch})
        times.append(time.perf_counter())
        mine = checksum(phase.params)
        done = {own: crew.own(phase, own)}
        times.append(time.perf_counter())
        for handle, request, answer in crew.answers(asked):
            done[request.share] = self._found(crew, handle, answer, mine) or crew.own(phase, request.share)
        times.append(time.perf_counter())
        found, _ = crew.merged("evaluate", done)
        self._update(crew, Update(int(phase.number), epoch, after(epoch), [np.asarray(array) for array in found]))
        times.append(time.perf_counter())
        crew.spent(times)
        return found, crew.here.share("estimate", phase.params, phase.number, found[0])[1]

    def _load(self, crew: Crew, epoch: Epoch, state: State) -> None:
        """Sends the state to those that do not hold it."""
        without = [handle for handle in crew.handles if not (crew.follows and handle.holds == epoch)]
        if without:
            leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
            crew.bytes_down += self._replicas.load(without, epoch, leaves)
        for handle in without:
            handle.holds = epoch

    def _found(self, crew: Crew, handle: WorkerHandle, answer: Answer | Refused | None, mine: int) -> Done | None:
        """A worker's result; None where the worker is lost, or its parameters are not bitwise the driver's."""
        if isinstance(answer, Answer):
            crew.bytes_up += answer.size
            if answer.result.checksum == mine:
                return answer.result.done
        if answer:
            handle.holds, self.resynchronised = None, self.resynchronised + 1
        return None

    def _update(self, crew: Crew, update: Update) -> None:
        """Has those that hold the state update it."""
        current = [handle for handle in crew.handles if handle.holds == update.before]
        if current:
            crew.bytes_down += self._replicas.update(current, update)
        for handle in current:
            handle.holds = update.after


def after(epoch: Epoch) -> Epoch:
    """The epoch of the state that a generation gives, which is what the next one reads."""
    return epoch._replace(generation=epoch.generation + 1)
