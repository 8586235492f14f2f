"""Whatever happens to workers, and whenever: the bits of the inline engine, or an error. Drawn from seeds.

A seed that fails is replayed, with its history, by `python tests/engines/simulate.py --seed 17 --engine process`.
"""

from zlib import crc32

import pytest

pytest.importorskip("gymnasium", reason="needs nograd[envs]")

from simulation import ENGINES, drawn, failures, simulate

from nograd.engines import crew, exchange, server, shared_memory, worker_handle
from nograd.engines.protocol import Answer

SEEDS, MANY, PARTS = 200, 5000, 20


@pytest.mark.parametrize("engine", ENGINES)
def test_whatever_happens_the_bits_are_those_of_one_process(engine):
    assert failures(range(ENGINES.index(engine), SEEDS, len(ENGINES)), engine) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_the_same_of_thousands_of_every_training(part):
    """A part has all seeds, of every engine, that draw some of the trainings: each is compiled once."""
    for engine in ENGINES:
        seeds = [seed for seed in range(MANY) if crc32(drawn(seed, engine, wide=True).encode()) % PARTS == part]
        assert failures(seeds, engine, wide=True) == []


def test_a_seed_is_replayed():
    first, second = (simulate(17, "ray-scalars")[1] for _ in range(2))
    assert first == second
    assert len(first) > 10


# Faults that are planted: each is found ------------------------------------------------------------------


def crew_of_each_phase(monkeypatch):
    """Whoever is ready works on a phase; only what is new in it is published."""
    phase, publish = crew.Crew.phase, crew.Crew._publish

    def again(self, what, done=None):
        self.handles = self._free(self.chunks - 1 - len(done or {}))
        return phase(self, what, done)

    def what_is_new(self, what):
        if what.kind == "estimate":
            self._published["params"] = self.epoch("params")
        publish(self, what)

    monkeypatch.setattr(crew.Crew, "phase", again)
    monkeypatch.setattr(crew.Crew, "_publish", what_is_new)


def crew_of_each_phase_and_no_epochs(monkeypatch):
    """The fault that was there once: parameters were read that had never been sent."""
    crew_of_each_phase(monkeypatch)
    no_epochs(monkeypatch)


def no_checksum(monkeypatch):
    monkeypatch.setattr(exchange, "checksum", lambda params: 0)
    monkeypatch.setattr(server, "checksum", lambda params: 0)


def no_epochs(monkeypatch):
    monkeypatch.setattr(server, "require", lambda reads, held: None)


def late_answer_taken(monkeypatch):
    noted = worker_handle.WorkerHandle._noted

    def anyones(self, message):
        owed = self._owed
        about = noted(self, message)
        return owed if isinstance(message, Answer) and owed else about

    monkeypatch.setattr(worker_handle.WorkerHandle, "_noted", anyones)


def update_lost(monkeypatch):
    """A worker that was sent the update goes on with the state that it has."""
    monkeypatch.setattr(server.Server, "update", lambda self, held, update: None)


def update_lost_without_a_word(monkeypatch):
    """The same, but it takes its state for the new one."""

    def lost(self, held, update):
        held.put("state", update.after, held.arrays("state"))

    monkeypatch.setattr(server.Server, "update", lost)


def stale_block(monkeypatch):
    """The epoch is published, the parameters are those of before."""
    fill = shared_memory.Block.fill
    monkeypatch.setattr(
        shared_memory.Block, "fill", lambda self, name, arrays: 0 if name == "params" else fill(self, name, arrays)
    )


def lost_share_not_done_again(monkeypatch):
    """The place of a worker that was lost is read all the same."""
    answers = crew.Crew.answers

    def invented(self, asked):
        return [(handle, request, answer or LAST) for handle, request, answer in answers(self, asked)]

    LAST = Answer(0, [], 0.0)
    monkeypatch.setattr(crew.Crew, "answers", invented)


def order_of_arrival(monkeypatch):
    """What was found is joined in the order in which it came."""
    merged = crew.Crew.merged

    def as_it_came(self, kind, done):
        shuffled = dict(enumerate(reversed(done.values())))
        return merged(self, kind, shuffled)

    monkeypatch.setattr(crew.Crew, "merged", as_it_came)


def state_taken_for_the_last(monkeypatch):
    """Replicas go on although the driver begins with another state."""
    load = exchange.Scalars._load

    def careless(self, crew, epoch, state):
        crew.follows = True
        load(self, crew, epoch, state)

    monkeypatch.setattr(exchange.Scalars, "_load", careless)
    no_checksum(monkeypatch)


def same_number_taken_for_the_same_state(monkeypatch):
    """Replicas go on where the generation has the number that their state has, whatever the state."""
    load, last = exchange.Scalars._load, {}

    def by_number(self, crew, epoch, state):
        crew.follows = last.get(id(self)) == int(state.generation) - 1
        last[id(self)] = int(state.generation)
        load(self, crew, epoch, state)

    monkeypatch.setattr(exchange.Scalars, "_load", by_number)
    no_checksum(monkeypatch)


def parameters_kept_where_the_number_is_the_same(monkeypatch):
    """A generation that is begun again, or another one of the same number, finds its parameters there already."""
    publish, fill = crew.Crew._publish, shared_memory.Block.fill
    there = {}

    def known(self, phase):
        monkeypatch.setattr(shared_memory.Block, "fill", lambda block, name, arrays: kept(block, name, arrays, phase))
        publish(self, phase)

    def kept(block, name, arrays, phase):
        before = there.get(id(block)) if name == "params" else None
        if name == "params":
            there[id(block)] = int(phase.number)
        return 0 if before is not None and before == int(phase.number) else fill(block, name, arrays)

    monkeypatch.setattr(crew.Crew, "_publish", known)


def checksum_of_the_first_array(monkeypatch):
    first = server.checksum
    monkeypatch.setattr(exchange, "checksum", lambda params: first(params[:1]))
    monkeypatch.setattr(server, "checksum", lambda params: first(params[:1]))


MUTANTS = {
    crew_of_each_phase: "process",
    crew_of_each_phase_and_no_epochs: "process",
    no_checksum: "ray-scalars",
    no_epochs: "process",
    late_answer_taken: "ray-sums",
    update_lost: "ray-scalars",
    update_lost_without_a_word: "ray-scalars",
    stale_block: "process",
    lost_share_not_done_again: "process",
    order_of_arrival: "devices",
    state_taken_for_the_last: "ray-scalars",
    same_number_taken_for_the_same_state: "ray-scalars",
    parameters_kept_where_the_number_is_the_same: "process",
    checksum_of_the_first_array: "ray-scalars",
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_planted_fault_is_found(mutant, monkeypatch):
    mutant(monkeypatch)
    assert any(simulate(seed, MUTANTS[mutant])[0] for seed in range(MANY))  # until the first one
