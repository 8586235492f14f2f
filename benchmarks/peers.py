"""Training seconds to a test accuracy on MNIST, by evosax's OpenAI-ES and by backpropagation.

    python -m venv peers && peers/bin/pip install evosax
    peers/bin/python benchmarks/peers.py --data-dir FOLDER --seeds 0 1 2 --limit 120

evosax is no dependency of nograd; it brings JAX, Optax and Flax, and nograd need not be installed beside it. FOLDER
has MNIST's four IDX files, as .gz or not; by default it is $NOGRAD_DATA/mnist. Both train the network 784-128-10
(ReLU, cross-entropy) on all 60,000 images with all cores, and are tested on all 10,000. The clock runs during the
training only: compilation and tests are left out. A run ends at its last accuracy. `--grid 20` searches evosax's
settings at random instead, 20 seconds each; `--population` and so on set them. The defaults were chosen by their
times in these very tests, which favours both. Written for evosax 0.3.2.

What makes evosax fast here: weights stored [outputs, inputs], so that the first layer of the whole population is one
product without a transposition; many generations a call, by lax.scan; one minibatch for the whole population; the
cheaper form of JAX's random bits. --centered gives it the inputs of nograd's low-rank recipe.
"""

import os

os.environ["JAX_THREEFRY_PARTITIONABLE"] = "0"  # 1.8 times as fast on a CPU; the normals are as good

import argparse
import gzip
import importlib.metadata
import itertools
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

try:
    import jax
    import jax.numpy as jnp
    import optax
    from evosax.algorithms import Open_ES
    from evosax.core import fitness_shaping
except ImportError as error:
    sys.exit(f"This benchmark needs evosax 0.3 (pip install evosax): {error}")

HIDDEN, CLASSES, PIXELS = 128, 10, 784
MARKS = {"evosax": (80, 85, 90, 92), "backprop": (97, 98)}
GRID = {
    "population": (64, 128, 256, 512),
    "batch": (64, 128, 256, 512),
    "sigma": (0.01, 0.02, 0.05, 0.1),
    "lr": (0.003, 0.01, 0.02, 0.05),
    "halving": (0, 300),
}
SHAPINGS = {
    "centered_rank": fitness_shaping.centered_rank_fitness_shaping_fn,
    "standardize": fitness_shaping.standardize_fitness_shaping_fn,
}

Params = dict[str, jax.Array]
Data = tuple[jax.Array, jax.Array]
Chunk = Callable[[object, jax.Array, jax.Array, jax.Array], object]
Parts = tuple[object, Chunk, Callable[[object], Params]]
Curve = list[tuple[float, float]]  # training seconds, test accuracy in %
Peers = dict[str, tuple]  # name: its settings, and the function that gives its parts


@dataclass(frozen=True)
class Settings:
    """Those of evosax's OpenAI-ES, with the best found as defaults."""

    population: int = 64
    batch: int = 256
    sigma: float = 0.05
    lr: float = 0.01
    halving: int = 600  # generations in which the learning rate falls to a half; 0: it stays
    shaping: str = "centered_rank"
    every: int = 10  # generations between two tests


@dataclass(frozen=True)
class Backprop:
    """Those of backpropagation by Adam."""

    batch: int = 128
    lr: float = 0.002
    halving: int = 4000
    every: int = 100  # steps between two tests


def read_idx(folder: Path, name: str) -> np.ndarray:
    """One IDX file of bytes, compressed or not."""
    path = folder / f"{name}.gz"
    content = gzip.decompress(path.read_bytes()) if path.exists() else (folder / name).read_bytes()
    rank = content[3]  # the header: 0, 0, the type, the rank; then the sizes
    shape = np.frombuffer(content, ">i4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(folder: Path, centered: bool) -> tuple[Data, Data]:
    """The 60,000 examples to train on and the 10,000 to test on: pixels from 0 to 1, and labels.

    `centered` subtracts from each pixel its mean over the training images, as nograd's low-rank recipe does.
    """

    def part(name: str) -> tuple[np.ndarray, jax.Array]:
        images, labels = read_idx(folder, f"{name}-images-idx3-ubyte"), read_idx(folder, f"{name}-labels-idx1-ubyte")
        return images.reshape(-1, PIXELS) / np.float32(255), jnp.asarray(labels.astype(np.int32))

    (train, train_labels), (test, test_labels) = part("train"), part("t10k")
    shift = train.mean(axis=0) if centered else np.float32(0)
    return (jnp.asarray(train - shift), train_labels), (jnp.asarray(test - shift), test_labels)


def initial(key: jax.Array) -> Params:
    """He's initial weights [outputs, inputs], and biases of zero [outputs, 1]."""
    first, last = jax.random.split(key)
    return {
        "w1": jax.random.normal(first, (HIDDEN, PIXELS)) * (2 / PIXELS) ** 0.5,
        "b1": jnp.zeros((HIDDEN, 1)),
        "w2": jax.random.normal(last, (CLASSES, HIDDEN)) * (2 / HIDDEN) ** 0.5,
        "b2": jnp.zeros((CLASSES, 1)),
    }


def logits(params: Params, x: jax.Array) -> jax.Array:
    hidden = jax.nn.relu(params["w1"] @ x.T + params["b1"])
    return (params["w2"] @ hidden + params["b2"]).T


def loss(params: Params, x: jax.Array, y: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, x), y).mean()


@jax.jit
def accuracy(params: Params, x: jax.Array, y: jax.Array) -> jax.Array:
    return (logits(params, x).argmax(1) == y).sum() * 100 / len(y)


def schedule(start: float, halving: int) -> optax.Schedule:
    return optax.exponential_decay(start, halving, 0.5) if halving else optax.constant_schedule(start)


def several(update: Callable, batch: int, every: int) -> Chunk:
    """`every` updates in one call, each on a random minibatch: update(state, key, x, y) gives the next state."""

    def chunk(state: object, key: jax.Array, x: jax.Array, y: jax.Array) -> object:
        def one(state: object, key: jax.Array) -> tuple[object, None]:
            draw, rest = jax.random.split(key)
            rows = jax.random.randint(draw, (batch,), 0, len(x))
            return update(state, rest, x[rows], y[rows]), None

        return jax.lax.scan(one, state, jax.random.split(key, every))[0]

    return chunk


def evosax_parts(settings: Settings, key: jax.Array) -> Parts:
    """The initial state of OpenAI-ES, its training call, and the way from a state to the parameters."""
    params = initial(key)
    strategy = Open_ES(
        settings.population,
        params,
        optimizer=optax.adam(schedule(settings.lr, settings.halving)),
        std_schedule=optax.constant_schedule(settings.sigma),
        fitness_shaping_fn=SHAPINGS[settings.shaping],
    )
    own = strategy.default_params

    def update(state: object, key: jax.Array, x: jax.Array, y: jax.Array) -> object:
        ask, tell = jax.random.split(key)
        population, state = strategy.ask(ask, state, own)
        fitness = jax.vmap(loss, (0, None, None))(population, x, y)  # evosax minimizes
        return strategy.tell(tell, population, fitness, state, own)[0]

    return strategy.init(key, params, own), several(update, settings.batch, settings.every), strategy.get_mean


def backprop_parts(settings: Backprop, key: jax.Array) -> Parts:
    """The same for backpropagation."""
    optimizer = optax.adam(schedule(settings.lr, settings.halving))
    params = initial(key)

    def update(state: tuple, _: jax.Array, x: jax.Array, y: jax.Array) -> tuple:
        params, inner = state
        updates, inner = optimizer.update(jax.grad(loss)(params, x, y), inner)
        return optax.apply_updates(params, updates), inner

    return (params, optimizer.init(params)), several(update, settings.batch, settings.every), lambda state: state[0]


def train(parts: Parts, key: jax.Array, data: tuple[Data, Data], limit: float, goal: float) -> Curve:
    """Train for `limit` seconds, or until the test accuracy is `goal`: the curve."""
    state, chunk, params = parts
    examples, tests = data
    compiled = jax.jit(chunk).lower(state, key, *examples).compile()
    jax.block_until_ready(compiled(state, key, *examples))  # its result is dropped: only to warm up
    seconds, curve = 0.0, []
    while seconds < limit and not (curve and curve[-1][1] >= goal):
        fresh = jax.block_until_ready(jax.random.fold_in(key, len(curve)))
        start = time.perf_counter()
        state = jax.block_until_ready(compiled(state, fresh, *examples))
        seconds += time.perf_counter() - start
        curve.append((seconds, round(float(accuracy(params(state), *tests)), 2)))
    return curve


def reached(curve: Curve, mark: float, limit: float) -> float | None:
    """Training seconds at the first test of at least `mark` %, if within the limit."""
    return next((seconds for seconds, percent in curve if percent >= mark and seconds <= limit), None)


def time_to(seconds: float | None) -> str:
    return f"{'-':>7}" if seconds is None else f"{seconds:5.1f} s"


def median(times: list[float | None]) -> float | None:
    """The median, in which a run that never got there counts as the slowest."""
    middle = statistics.median(float("inf") if each is None else each for each in times)
    return None if middle == float("inf") else middle


def compare(peers: Peers, seeds: list[int], data: tuple[Data, Data], limit: float) -> dict[str, dict]:
    """Every peer with every seed: prints the table, gives it for the JSON file."""
    results = {}
    for name, (settings, build) in peers.items():
        marks, rows = MARKS[name], []
        print(f"{name}: {describe(settings)}\n{'seed':>8}" + "".join(f"{f'{mark}%':>9}" for mark in marks))
        for seed in seeds:
            key = jax.random.key(seed)
            curve = train(build(settings, key), key, data, limit, max(marks))
            times = [reached(curve, mark, limit) for mark in marks]
            pace = len(curve) * settings.every / curve[-1][0]
            best = max(percent for _, percent in curve)
            rows.append({"seed": seed, "seconds": times, "updates_per_second": pace, "best": best, "curve": curve})
            print(
                line(str(seed), times),
                f"  {best:.2f}% at best in {curve[-1][0]:.1f} s, {pace:.1f} updates/s",
                flush=True,
            )
        middle = [median([row["seconds"][i] for row in rows]) for i in range(len(marks))]
        print(line("median", middle))
        results[name] = {"settings": asdict(settings), "marks": marks, "median": middle, "runs": rows}
    return results


def line(name: str, times: list[float | None]) -> str:
    return f"{name:>8}" + "".join(f"  {time_to(seconds)}" for seconds in times)


def describe(settings: Settings | Backprop) -> str:
    return ", ".join(f"{name} {value}" for name, value in asdict(settings).items())


def draws(seed: int) -> Iterator[Settings]:
    """Settings at random from the grid, none twice."""
    every = list(itertools.product(*GRID.values()))
    random.Random(seed).shuffle(every)
    for values in every:
        yield replace(Settings(), **dict(zip(GRID, values, strict=True)))


def search(data: tuple[Data, Data], trials: int, limit: float, mark: float = 85) -> None:
    """Random settings, each for `limit` seconds of training; the quickest to `mark` % last."""
    found = []
    for settings in itertools.islice(draws(0), trials):
        key = jax.random.key(0)
        curve = train(evosax_parts(settings, key), key, data, limit, mark)
        found.append((reached(curve, mark, limit), max(percent for _, percent in curve), settings))
        print(outcome(*found[-1]), flush=True)
    print("\nthe best last:")
    found.sort(key=lambda each: (-(limit if each[0] is None else each[0]), each[1]))
    for each in found[-10:]:
        print(outcome(*each))


def outcome(seconds: float | None, best: float, settings: Settings) -> str:
    return f"{time_to(seconds)}  {best:5.2f}%  {describe(settings)}"


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = Path(os.environ.get("NOGRAD_DATA", ".")) / "mnist"
    parser.add_argument("--data-dir", type=Path, default=folder, help="the folder of MNIST's IDX files")
    parser.add_argument("--centered", action="store_true", help="subtract each pixel's mean")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--limit", type=float, default=120, help="training seconds of a seed")
    parser.add_argument("--only", choices=list(MARKS), help="this one alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write settings, times and curves")
    parser.add_argument("--grid", type=float, metavar="SECONDS", help="search evosax's settings, SECONDS a trial")
    parser.add_argument("--trials", type=int, default=30, help="settings that the search tries")
    for field in fields(Settings):
        choices = list(SHAPINGS) if field.name == "shaping" else None
        text = f"evosax's; {field.default} by default"
        parser.add_argument(
            f"--{field.name}", type=type(field.default), default=field.default, choices=choices, help=text
        )
    return parser.parse_args()


def main() -> None:
    arguments = read_arguments()
    try:
        data = load(arguments.data_dir, arguments.centered)
    except FileNotFoundError as error:
        sys.exit(f"Name the folder of MNIST's files with --data-dir: {error}")
    versions = {name: importlib.metadata.version(name) for name in ("evosax", "jax", "optax", "numpy")}
    print(", ".join(f"{name} {version}" for name, version in versions.items()), f"on {os.cpu_count()} cores")
    if arguments.grid:
        search(data, arguments.trials, arguments.grid)
        return
    settings = Settings(**{field.name: getattr(arguments, field.name) for field in fields(Settings)})
    peers = {"evosax": (settings, evosax_parts), "backprop": (Backprop(), backprop_parts)}
    chosen = {name: peer for name, peer in peers.items() if arguments.only in (None, name)}
    results = compare(chosen, arguments.seeds, data, arguments.limit)
    if arguments.json:
        content = {"versions": versions, "cores": os.cpu_count(), "limit": arguments.limit, "results": results}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
