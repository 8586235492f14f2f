"""The settings of a training: command-line flags, recipe file and record of a run in one frozen dataclass.

Nothing here imports JAX, so that `nograd --help` and a wrong flag answer at once.
"""

from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal, get_type_hints

from tyro.conf import Positional

Noise = Literal["gaussian", "rademacher", "table"]
Perturbation = Literal["dense", "lowrank", "node"]
Strategy = Literal["openai-es", "ars", "snes", "pgpe", "sep-cma-es"]
Shaping = Literal["raw", "standardized", "centered_rank", "sign", "utilities"]
Optimizer = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "lion"]
DEFAULT_POPULATION = 256


def _setting(default: Any, **metadata: Any) -> Any:
    """A field with metadata: `control` for one that says where and whence, `search` for the range that `nograd search`
    draws it from, and `when` = (parent, its values) for one that is drawn only with these. Which strategies and
    perturbations read it stands in `choices`.
    """
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class TrainConfig:
    """Train a network by Evolution Strategies."""

    task: Positional[str | None] = None
    """What to learn: mnist, digits, FILE.npz or FILE.csv; or an environment: CartPole-v1, HalfCheetah-v5, any id of
    EnvPool or Gymnasium, brax/humanoid, or module:make_env of your own. Default: mnist where it can be had, else
    digits."""
    model: str = _setting("mlp:64", search="choice(mlp:32, mlp:64, mlp:128)")
    """The network: mlp:128,64 (any widths; also mlp-sign, mlp-int8, mlp-spiking and oriented), linear2 (the blog's),
    cnn, linear and atari (policies), or module:function of your own. An environment's mlp has tanh."""
    fitness: str = _setting("cross_entropy", search="choice(cross_entropy, squared_error, accuracy)")
    """What members are ranked by: cross_entropy, squared_error (on softmax outputs), accuracy, or
    module:function of your own, (outputs [batch, classes], labels [batch]) -> [batch]; higher is better."""
    strategy: Strategy | None = _setting(None, search="choice(openai-es, ars, snes, pgpe, sep-cma-es)")
    """How fitness moves the search: openai-es, ars (plain steps along the best directions), or snes, pgpe or
    sep-cma-es, which learn a sigma for each parameter. Default: the recipe's, else openai-es."""
    perturbation: Perturbation | None = _setting(None, search="choice(dense, lowrank, node)")
    """How members differ from the mean: dense (every parameter has its own draw), lowrank (A·B for each matrix,
    on groups of examples), or node (noise on the outputs of layers, for each example). Default: the recipe's, else
    dense."""
    noise: Noise = _setting("rademacher", search="choice(gaussian, rademacher)")
    """What is drawn: gaussian, rademacher (random signs, the cheapest), or table (slices of a shared table;
    dense only). Default for snes, pgpe and sep-cma-es, which learn nothing from signs: gaussian."""
    sigma: float = _setting(0.05, search="log(0.001, 1)")
    """Standard deviation of the perturbation, in units of the parameters (of layer outputs for node). Where the
    strategy learns it, its start. Default for snes and sep-cma-es: 0.1."""
    lr_sigma: float | None = _setting(None, search="log(0.001, 1)")
    """Learning rate of sigma. Default: for snes (3 + ln d)/(5√d) with d parameters, for pgpe 0.1."""
    directions: int = _setting(32, search="choice(8, 16, 32, 64)")
    """Directions that each example (node) or group of examples (lowrank) is evaluated along."""
    rank: int = _setting(1, search="choice(1, 2, 4)")
    """Rank of the perturbation of each matrix, for lowrank."""
    group: int = _setting(8, search="choice(1, 4, 8, 16)")
    """Examples that see the same members, for lowrank; 0: the whole batch, with population members."""
    densify: bool = False
    """Give dense noise to a parameter that lowrank or node has no rule for, in place of an error."""
    mirrored: bool = _setting(True, search="choice(true, false)")
    """Evaluate every draw with both signs (antithetic sampling); not for sep-cma-es."""
    population: int | None = _setting(None, search="choice(32, 64, 128, 256, 512)", when=("perturbation", ("dense",)))
    """Members a generation, default 256; even with mirrored sampling. It follows from batch, group and directions
    for node, and for lowrank unless --group 0."""
    top: int | float | None = _setting(None, search="log(0.05, 0.95)", when=("perturbation", ("dense",)))
    """Directions that count, those of the best members, for ars: how many, or their share, below 1. Default: all."""
    shaping: Shaping = _setting("centered_rank", search="choice(raw, standardized, centered_rank, sign)")
    """From fitness to weights: raw, standardized (z-score), centered_rank, sign, or utilities (the better half counts,
    as in snes). ars, snes and sep-cma-es have their own."""
    optimizer: Optimizer = _setting("adam", search="choice(sgd, momentum, adam)")
    """The Optax optimizer that takes the step."""
    lr: float = _setting(0.01, search="log(0.0001, 1)")
    """Its learning rate; for snes, that of the mean. Default for ars 0.05, for snes 1."""
    lr_schedule: Literal["constant", "linear", "cosine"] = _setting(
        "constant", search="choice(constant, linear, cosine)"
    )
    """How the learning rate goes to 0 over --generations; constant: it does not."""
    momentum: float = _setting(
        0.9, search="uniform(0.5, 0.99)", when=("optimizer", ("momentum", "nesterov", "rmsprop"))
    )
    """Its momentum, for momentum, nesterov and rmsprop."""
    weight_decay: float = _setting(0.0, search="log(1e-6, 0.1)")
    """L2 coefficient, added to the estimate before the optimizer (decoupled for adamw and lion)."""
    batch: int = _setting(256, search="choice(32, 64, 128, 256, 512)")
    """Examples of a minibatch."""
    batch_sampling: Literal["random", "contiguous"] = _setting("random", search="choice(random, contiguous)")
    """random draws examples with replacement; contiguous takes a slice at a random start."""
    batch_sharing: Literal["shared", "private"] = _setting("shared", search="choice(shared, private)")
    """One minibatch a generation for all members (shared), or one for each draw (private)."""
    shift: int = _setting(0, search="choice(0, 1, 2)")
    """Pixels that each training image may be moved by, at random and anew each time; images only."""
    episodes: int = _setting(1, search="choice(1, 2, 4)")
    """Episodes of each member; its fitness is their mean return. Environments only, as all down to --env-options."""
    member_steps: int = 0
    """A member goes on to further episodes until it has taken so many steps: then a generation has at least
    population · member-steps of them, and at least population · episodes episodes."""
    eval_episodes: int = 16
    """Episodes whose mean return by the mean parameters is the validation score, the same ones each time."""
    episode_limit: str = "none"
    """Steps after which an episode is cut: none (the environment's own limit), adaptive (twice the mean length of the
    generation before), or a number."""
    survival_bonus: float = 0.0
    """Part of the reward of every step, such as 5 of Humanoid's, that does not count in the fitness; scores keep it."""
    observations: Literal["raw", "normalized"] = _setting("raw", search="choice(raw, normalized)")
    """Whether the policy sees them less their running mean, divided by their running deviation."""
    action_noise: float = _setting(0.0, search="choice(0.0, 0.01, 0.1)")
    """Standard deviation of noise on the continuous actions of members, in half ranges of the action."""
    action_bins: int | None = None
    """Values that each component of a continuous action may take. Default: any."""
    frame_skip: int = 1
    """Steps of the environment that an action is held for."""
    env_options: str | None = None
    """Keyword arguments of the environment's maker, as JSON: '{"ctrl_cost_weight": 0.5}'."""
    generations: int = 1000
    """Stop after this many generations."""
    budget: str | None = None
    """Stop after this much training time: 90s, 10m, 1h30m."""
    target: float | None = None
    """Stop when the validation score reaches this: an accuracy such as 0.95, or an environment's return."""
    patience: int | None = None
    """Stop after this many evaluations on the validation split without a new best."""
    eval_every: int = 50
    """Generations between evaluations on the validation split."""
    checkpoint_every: int = 100
    """Generations between checkpoints."""
    keep_checkpoints: int = 3
    """How many checkpoints to keep, beside the best by validation."""
    engine: Literal["auto", "inline", "process", "ray"] = "auto"
    """Where the evaluations run: inline (this process, on one or several devices), process (one a core), ray (a
    cluster), or auto (process on a CPU with several cores, else inline). The result is the same, bit by bit."""
    address: str | None = None
    """The Ray cluster: HOST:PORT, or auto for the one that this machine belongs to. Default: one of this machine."""
    exchange: Literal["sums", "scalars"] = "sums"
    """What travels on a Ray cluster: partial sums of the estimate, or fitness alone (each worker then makes the whole
    update itself)."""
    workers: str = "auto"
    """What shares a generation: processes, this one included, or devices of the inline engine. auto: one process a
    core; inline, all GPUs that JAX finds."""
    chunks: int | None = None
    """Parts that a generation is cut into, the most workers that can share it. It sets the order of sums, so it is
    part of the result. Default: as many as suit the population."""
    deadline: float = 60.0
    """Seconds of silence after which a worker counts as dead, and is replaced."""
    seed: int = 0
    """Of everything random: initial weights, noise, minibatches and splits."""
    split_seed: int | None = None
    """Of the split of a file into training, validation and test examples alone. Default: --seed."""
    label: str | None = None
    """The label column of a CSV file. Default: a column named label, target, class or y."""
    standardize: Literal["auto", "none", "center", "standard"] = _setting(
        "auto", search="choice(auto, center, standard)"
    )
    """Inputs: auto (bytes to 0..1, CSV columns to mean 0 and variance 1), none, center (bytes to 0..1,
    each feature to mean 0), or standard (each feature to mean 0 and variance 1)."""
    data_dir: str | None = None
    """Where the MNIST files lie. Default: $NOGRAD_DATA, the user cache, else downloaded."""
    out: str | None = _setting(None, control=True)
    """The run directory. Default: runs/TASK-DATE-TIME."""
    preset: str | None = _setting(None, control=True)
    """Start from a recipe that ships with the package; see nograd presets."""
    config: str | None = _setting(None, control=True)
    """Start from a recipe of your own: FILE.toml with these settings as keys."""
    resume: str | None = _setting(None, control=True)
    """Go on with a run: its directory, or one checkpoint of it."""
    open: bool = _setting(False, control=True)
    """Write the page RUN/report.html while the training runs, and show it in the browser."""
    tensorboard: bool = _setting(False, control=True)
    """Write the metrics for TensorBoard too: tensorboard --logdir runs."""
    wandb: bool = _setting(False, control=True)
    """Send the metrics to Weights & Biases too, to the project $WANDB_PROJECT or nograd."""


@cache
def recipe_fields() -> dict[str, Any]:
    """The fields that define a run, with their types: all but the ones that say where and whence."""
    types = get_type_hints(TrainConfig)
    return {f.name: types[f.name] for f in fields(TrainConfig) if not f.metadata.get("control")}


def settings(config: TrainConfig) -> dict[str, Any]:
    """The defining settings of a config, by name."""
    return {name: getattr(config, name) for name in recipe_fields()}
