"""The flags of `nograd speedup`. Nothing here imports JAX or NumPy."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from nograd.config.fields import Positional, file_name, setting
from nograd.config.recipes import base_config
from nograd.config.settings import Perturbation, Strategy, TrainConfig
from nograd.config.validate import validate
from nograd.core.types import ConfigError

_WORK = ("model", "perturbation", "population", "batch", "directions", "group", "chunks", "seed", "label", "data_dir")


@dataclass(frozen=True)
class SpeedupConfig:
    """Time the same generations on 1, 2, 4 … workers. Prints speedup, efficiency and serial fraction, each with its 95%
    interval.
    """

    task: Positional[str | None] = setting(None, path=True, check=file_name)
    """The training whose generations are timed: anything that nograd train takes. Default: as in nograd train."""
    preset: str | None = None
    """The recipe whose generations are timed; nograd presets lists them. Default: the task's own."""
    workers: str = "auto"
    """Numbers of workers such as 1,2,4; 1 is always measured. auto: 1, 2, 4 and so on, up to all cores (or devices)."""
    engine: Literal["auto", "process", "inline", "ray"] = "auto"
    """What the workers are: processes of this machine, devices of this process (inline), or actors of a Ray cluster.
    auto: processes on a CPU, else devices. One worker is always this process."""
    address: str | None = None
    """The Ray cluster to join: HOST:PORT, or auto for the one that this machine belongs to. Default: start one on this
    machine."""
    exchange: Literal["sums", "scalars"] = "sums"
    """What the workers of a Ray cluster send, as in nograd train."""
    generations: int | None = None
    """Generations of one timing. Default: as many as take about a second on one worker."""
    rounds: int = 5
    """How often each number of workers is timed; the intervals follow from the scatter of these times."""
    weak: bool = True
    """Measure weak scaling, too: the work grows with the number of workers (a larger population, or a larger batch
    where the population follows from it)."""
    out: str = setting("speedup", path=True, check=file_name)
    """The folder for speedup.json and speedup.png."""
    json: bool = False
    """Print JSON in place of the tables."""
    model: str | None = None
    """The network, as in nograd train. The default of this flag and of all below is that of the recipe."""
    strategy: Strategy | None = None
    """How the fitness of the population moves the parameters."""
    perturbation: Perturbation | None = None
    """How the members of the population differ from their mean."""
    population: int | None = None
    """Members evaluated in each generation, where the perturbation lets it be set."""
    batch: int | None = None
    """Examples in a minibatch."""
    directions: int | None = None
    """How many random directions are tried for each example (node) or for each group of examples (lowrank)."""
    group: int | None = None
    """For lowrank: how many examples share the same random directions. 0: all of a batch."""
    chunks: int | None = None
    """Parts that the work of a generation is cut into; no more workers than that can share it."""
    seed: int | None = None
    """The seed of everything random."""
    label: str | None = None
    """The label column of a table."""
    data_dir: str | None = setting(None, path=True, check=file_name)
    """The folder of the MNIST files."""


def training(given: SpeedupConfig) -> TrainConfig:
    """The settings of the training whose generations are timed. Raises ConfigError for values that do not fit."""
    same = ("task", "preset", "data_dir", "strategy", "perturbation")
    base = base_config(TrainConfig(**{name: getattr(given, name) for name in same}))
    over: dict[str, Any] = {name: value for name in _WORK if (value := getattr(given, name)) is not None}
    # A recipe may say where the work runs; here the flags of this command decide that.
    own: dict[str, Any] = {"task": given.task or (base.task if given.preset else None), "workers": "auto"}
    own |= {"engine": given.engine, "address": given.address, "exchange": given.exchange}
    config = replace(base, **over, **own)
    if config.mirrored and (config.population or 0) % 2:  # the message of `validate` names a flag that is missing here
        raise ConfigError(
            f"--population cannot be {config.population}; use {(config.population or 0) + 1}: members come in "
            "mirrored pairs"
        )
    return validate(config)


def check(config: SpeedupConfig) -> None:
    """Raises ConfigError for a number that is out of its range."""
    if config.rounds < 2:
        raise ConfigError(f"--rounds cannot be {config.rounds}; use 2 or more: one round has no spread")
    if config.generations is not None and config.generations < 1:
        raise ConfigError(f"--generations cannot be {config.generations}; use 1 or more")
    asked_workers(config.workers)


def asked_workers(text: str) -> list[int] | None:
    """The worker counts in a list such as 1,2,4, sorted and with 1; None for auto."""
    if text == "auto":
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) >= 1 for word in words):
        raise ConfigError(f"--workers cannot be {text}; use auto, or numbers with commas such as 1,2,4")
    return sorted({1, *map(int, words)})


def auto_workers(cores: int) -> list[int]:
    """1, 2, 4 … up to the number of cores, and that number."""
    return sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power <= cores)})
