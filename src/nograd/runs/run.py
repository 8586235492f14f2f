"""A training that has been written: its settings, metrics, result, chosen parameters and predictions."""

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nograd.config.settings import TrainConfig
from nograd.core.metrics import Measure, measure_of
from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError, Params, RunError
from nograd.data import Dataset
from nograd.envs.rollout import Played
from nograd.envs.spec import from_portable
from nograd.envs.video import Filmed
from nograd.models import Builder, Model, build_model
from nograd.runs.checkpoint import load_checkpoint
from nograd.runs.directory import RunDirectory
from nograd.tasks.classification import Split, predict, split_arrays
from nograd.tasks.control import Environment, Policy
from nograd.training.environments import make_environment
from nograd.training.factories import resolve_model, resolve_policy
from nograd.training.job import load_dataset
from nograd.training.provenance import check_data, on_data, placed

_FRESH = 100  # episodes that evaluate plays
_Z95 = 1.959963984540054  # the normal quantile of a two-sided 95% interval


class Run:
    """A training on disk. `params` are the ones chosen on the validation split."""

    def __init__(
        self, directory: RunDirectory, model: Model | Builder | None = None, data: str | Path | None = None
    ) -> None:
        self.directory = directory
        self._given_model, self._given_data = model, data

    @property
    def path(self) -> Path:
        return self.directory.path

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.json: settings, versions, data and shapes."""
        return self.directory.config()

    @property
    def result(self) -> dict[str, Any]:
        """result.json; empty while the run has not ended."""
        return self.directory.result() or {}

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        return self.directory.metrics()

    @cached_property
    def settings(self) -> TrainConfig:
        """The settings the run was started with."""
        return saved_settings(self.directory)

    @cached_property
    def model(self) -> Model:
        """The network. Raises ConfigError where only Python can say which: then pass it to `load`."""
        if isinstance(self.task, Environment):
            return self.task.model
        data, spec = self.config["data"], self.settings.model
        return build_model(self._named_model or resolve_model(spec), tuple(data["input_shape"]), data["classes"])

    @property
    def measure(self) -> Measure:
        """What the run is judged by."""
        return measure_of(self.config)

    @cached_property
    def task(self) -> Environment | None:
        """The environment as a task; None for a run on data."""
        if "world" not in self.config["data"]:
            return None
        model = self._named_model or resolve_policy(self.settings.model)
        return make_environment(self.settings, from_portable(self.config["data"]["world"]), model)

    @property
    def _named_model(self) -> Model | Builder | None:
        if self._given_model is None and self.settings.model.startswith("("):
            raise ConfigError(
                f"{self.path} was trained on a model handed over in Python; give it: nograd.load(path, model=…)"
            )
        return self._given_model

    @cached_property
    def params(self) -> Params:
        """What is learnt with the best validation score; the last of it where there was no evaluation.

        Of a run on an environment it is a `Policy`: the network's parameters, and what it reads beside them.
        """
        candidates = [self.directory.best, *reversed(self.directory.numbered())]
        path = next((path for path in candidates if path.is_file()), None)
        if path is None:
            raise RunError(f"{self.path} has no checkpoint yet; go on with nograd train --resume {self.path}")
        like = jax.eval_shape(self.model.init, jax.random.key(0))
        if self.task is None:
            return load_checkpoint(path, like, part="params")[0]
        context = load_checkpoint(path, jax.eval_shape(self.task.blank), part="context")[0]
        return Policy(load_checkpoint(path, like, part="search/params")[0], context)

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The network's outputs, [examples, classes]; for observations of an environment [observations, outputs].

        Args:
            x: examples as the data set stores them: pixels 0 to 255 where it holds bytes.
        """
        if self.task:
            params, context = self.params
            seen = self.task.see(context, self.task.encoded(x))
            return np.asarray(self.model.apply(self.task.whole(params, context), seen))
        data = self.config["data"]
        offset, scale = (np.asarray(data[name], np.float32) for name in ("offset", "scale"))
        return predict(self.model, self.params, np.asarray(x), offset, scale)

    def examples(self, split: Split, dataset: Dataset | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(x, y) of a split of the run's own data. Raises DataError where they are gone, or not the same any more."""
        if self.task:
            raise ConfigError(f"{self.path} was trained on an environment, which has no splits; leave the split out")
        dataset = dataset or load_dataset(placed(on_data(self.settings, self._given_data), self.path))
        check_data(self.config, dataset)
        return split_arrays(dataset, known_split(split))

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The most likely class of each example, int [examples]; of observations, the actions."""
        return self.task.actions(self.outputs(x)) if self.task else self.outputs(x).argmax(-1)

    def evaluate(
        self, split: Split = "test", dataset: Dataset | None = None, episodes: int | None = None
    ) -> dict[str, Any]:
        """Accuracy on a split of the run's own data, or the mean return of fresh episodes, with its 95% interval.

        Args:
            split: "train", "val" or "test".
            dataset: needed only where the run was trained on a `Dataset` object.
            episodes: of an environment, default 100: none of those that training or validation played.
        """
        if self.task:
            return mean_return(self.task.played(self.params, "fresh", episodes or _FRESH))
        if episodes is not None:
            raise ConfigError(f"episodes cannot be {episodes}: {self.path} was trained on examples; leave them out")
        x, y = self.examples(split, dataset)
        return {"split": split, **proportion(int(np.sum(self.predict(x) == y)), len(y))}

    def film(self, path: str | Path) -> dict[str, Any]:
        """One fresh episode as a film, .mp4 or .gif, rendered without a screen; its return and length.

        Raises:
            ConfigError: the run is on examples, or its environment cannot be rendered here.
        """
        if self.task is None:
            raise ConfigError(f"--video cannot be {path}: {self.path} was trained on examples; leave it out")
        world = self.task.world
        filmed = Filmed(world, Path(path))
        played = self.task.played(self.params, "fresh", 1, filmed)
        return {"return": float(played.returns[0]), "length": int(played.lengths[0])}


def load(path: str | Path, model: Model | Builder | None = None, data: str | Path | None = None) -> Run:
    """The run of a directory that `train` or `nograd train` wrote.

    Args:
        path: the run directory.
        model: needed only where the run was trained on a model object that words cannot name.
        data: where the data lie now, needed only where they have moved: the file, or the folder of MNIST's files.

    Raises:
        RunError: the path is no run directory.
    """
    run = Run(RunDirectory.open(path), model, data)
    _ = run.settings
    return run


def saved_settings(directory: RunDirectory) -> TrainConfig:
    """The settings in a run's config.json. Raises RunError where they are of another version."""
    try:
        return TrainConfig(**directory.config()["settings"])
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{directory.path}/config.json does not hold settings that this version reads ({error}); "
            "use the nograd version that wrote it"
        ) from error


def proportion(hits: int, count: int) -> dict[str, Any]:
    """hits/count as an accuracy with the 95% interval of Wilson (1927).

    (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n): unlike p ± z·se it stays inside 0..1.
    """
    share, square = hits / count, _Z95**2 / count
    centre = (share + square / 2) / (1 + square)
    half = _Z95 / (1 + square) * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return {"accuracy": share, "interval": [centre - half, centre + half], "examples": count}


def mean_return(played: Played) -> dict[str, Any]:
    """The mean return x̄ of n episodes with x̄ ± t s/√n, the 95% interval of Student (1908).

    Episodes that were dropped, since something was no finite number, are left out and counted. Where most of them are,
    nothing is known of the return.
    """
    from scipy.stats import t

    returns, mean = played.sound.returns, played.mean
    dropped = {"dropped": played.dropped} if played.dropped else {}
    if mean is None:
        unknown = dict.fromkeys(("return", "deviation", "minimum", "maximum", "length"))
        return {**unknown, "interval": [None, None], "episodes": len(returns), **dropped}
    deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0
    half = float(t.ppf(0.975, max(len(returns) - 1, 1))) * deviation / math.sqrt(len(returns))
    return {
        "return": mean,
        "interval": [mean - half, mean + half],
        "deviation": deviation,
        "minimum": float(np.min(returns)),
        "maximum": float(np.max(returns)),
        "length": float(np.mean(played.sound.lengths)),
        "episodes": len(returns),
        **dropped,
    }


def known_split(name: str) -> Split:
    """The split of this name. Raises ConfigError for any other."""
    for split in ("train", "val", "test"):
        if name == split:
            return split
    raise ConfigError(f"unknown split {name!r}{did_you_mean(name, ('train', 'val', 'test'))}")


def prediction_table(outputs: np.ndarray, probabilities: bool = False) -> str:
    """A CSV text with one row an example: its class, and the softmax of its outputs where asked for."""
    header, rows = "class", [str(label) for label in outputs.argmax(-1)]
    if probabilities:
        shares = softmax(outputs)
        header += "".join(f",p{label}" for label in range(outputs.shape[-1]))
        rows = [",".join([row, *(f"{p:.6f}" for p in share)]) for row, share in zip(rows, shares, strict=True)]
    return "\n".join([header, *rows]) + "\n"


def softmax(outputs: np.ndarray) -> np.ndarray:
    """exp(oₖ)/Σⱼ exp(oⱼ): a probability of each class from outputs [examples, classes]."""
    exponentials = np.exp(outputs - outputs.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)
