"""The settings of a training: command-line flags, recipe file and record of a run in one frozen dataclass.

Nothing here imports JAX, so that `nograd --help` and a wrong flag answer at once.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nograd.config import fields
from nograd.config.axes import ENGINES, MODELS, NOISES, OPTIMIZERS, PERTURBATIONS, PROBLEMS, SHAPINGS, STRATEGIES
from nograd.config.fields import (
    Positional,
    at_least,
    file_name,
    finite,
    not_negative,
    positive,
    setting,
    share_below_one,
)
from nograd.config.registry import DATA, ENVIRONMENT
from nograd.config.scores import FITNESSES, METRICS
from nograd.config.values import Setting, settings_of

# Their words are those of the registries, which a type checker cannot read.
if TYPE_CHECKING:
    Perturbation: TypeAlias = str
    Strategy: TypeAlias = str
    Engine: TypeAlias = str
    Noise: TypeAlias = str
    Shaping: TypeAlias = str
    Optimizer: TypeAlias = str
    Problem: TypeAlias = str
else:
    Perturbation = Literal[PERTURBATIONS.words]
    Strategy = Literal[STRATEGIES.words]
    Engine = Literal[ENGINES.words]
    Noise = Literal[NOISES.words]
    Shaping = Literal[SHAPINGS.words]
    Optimizer = Literal[OPTIMIZERS.words]
    Problem = Literal[PROBLEMS.words]
DEFAULT_POPULATION = 256
DEFAULT_BATCH = 256
DEFAULT_MODEL, AUTO = "mlp:64", "auto"
OF_STRATEGY, OF_PERTURBATION = ("strategy",), ("perturbation",)
OF_BOTH = OF_STRATEGY + OF_PERTURBATION


@dataclass(frozen=True)
class TrainConfig:
    """Train a network by Evolution Strategies."""

    task: Positional[str | None] = setting(None, heading="Task", path=True, check=file_name)
    """What to learn: mnist, digits, FILE.npz or FILE.csv; or an environment: CartPole-v1, HalfCheetah-v5, any id of
    EnvPool or Gymnasium, brax/humanoid, or module:make_env of your own. Default: mnist where it can be had, else
    digits."""
    model: str = setting(DEFAULT_MODEL, axis=MODELS, search="choice(mlp:32, mlp:64, mlp:128)")
    """The network: one of these, with widths of your own where it takes them, or module:function of your own; or auto,
    which follows the size of the data. Default for tables: auto, else mlp:64."""
    fitness: str | None = setting(
        None, task=DATA, axis=FITNESSES, search="choice(cross_entropy, squared_error, accuracy)"
    )
    """What members are ranked by: one of these, or module:function of your own, (outputs [batch, classes], labels
    [batch]) -> [batch], higher is better. Default: the first that is for the targets, cross_entropy for classes and
    labels, squared_error for numbers."""
    metric: str | None = setting(None, task=DATA, axis=METRICS)
    """What the network is chosen by on validation, and what --target and --patience go by: one of these, or
    module:function of your own, (y_true, y_pred) -> a number, as in sklearn.metrics. Default: accuracy for classes, r2
    for numbers, f1 for several labels."""
    class_weight: str | None = setting(None, task=DATA, names=True)
    """Weights of the classes in the fitness: balanced (as much for rare classes as for others, as in scikit-learn), or
    a=1,b=3."""
    strategy: Strategy | None = setting(
        None,
        heading="Strategy and perturbation",
        axis=STRATEGIES,
        search=STRATEGIES.range,
    )
    """How fitness becomes the next search distribution. Default: that of the recipe, else openai-es."""
    perturbation: Perturbation | None = setting(
        None, follows=OF_STRATEGY, axis=PERTURBATIONS, search=PERTURBATIONS.range
    )
    """How members differ from the mean. Default: the recipe's, else dense."""
    noise: Noise = setting("rademacher", follows=OF_BOTH, axis=NOISES, search="choice(gaussian, rademacher)")
    """The distribution of the random draws. Default: rademacher; gaussian for snes, pgpe, cma-es and sep-cma-es, which
    learn nothing from signs."""
    sigma: float = setting(0.05, follows=OF_BOTH, check=positive("0.01"), search="log(0.001, 1)")
    """Standard deviation of the perturbation, in units of the parameters (of layer outputs for node). A strategy that
    learns it starts from this value. Default: 0.05; for snes, cma-es and sep-cma-es 0.1."""
    lr_sigma: float | None = setting(None, follows=OF_STRATEGY, check=positive("0.1"), search="log(0.001, 1)")
    """Learning rate of sigma. Default: for snes (3 + ln d)/(5√d) with d parameters, for pgpe 0.1."""
    directions: int = setting(32, follows=OF_PERTURBATION, task=DATA, check=at_least(1), search="choice(8, 16, 32, 64)")
    """Directions that each example (node) or group of examples (lowrank) is evaluated along."""
    rank: int = setting(1, follows=OF_PERTURBATION, check=at_least(1), search="choice(1, 2, 4)")
    """Rank of the perturbation of each matrix, for lowrank."""
    group: int = setting(
        8,
        follows=OF_PERTURBATION,
        task=DATA,
        check=at_least(0, "use 0 (the whole batch) or a number of examples"),
        search="choice(1, 4, 8, 16)",
    )
    """Examples that see the same members, for lowrank; 0: the whole batch, with population members."""
    densify: bool = setting(False, follows=OF_PERTURBATION)
    """Give dense noise to a parameter that lowrank or node has no rule for, in place of an error."""
    mirrored: bool = setting(True, follows=OF_STRATEGY, search="choice(true, false)")
    """Evaluate every draw with both signs (antithetic sampling); not for cma-es and sep-cma-es."""
    population: int | None = setting(
        None,
        follows=OF_BOTH,
        check=at_least(1),
        search="choice(32, 64, 128, 256, 512)",
        when=("perturbation", ("dense",)),
    )
    """Members of a generation; an even number with mirrored sampling. For node, and for lowrank unless --group 0, it
    follows from batch, group and directions and cannot be set. Default: 256."""
    top: int | float | None = setting(
        None, follows=OF_BOTH, search="log(0.05, 0.95)", when=("perturbation", ("dense",))
    )
    """For ars: use only the directions with the best members. Their number, or their share (below 1). Default: all."""
    shaping: Shaping = setting(
        "centered_rank",
        heading="Step",
        follows=OF_STRATEGY,
        axis=SHAPINGS,
        search="choice(raw, standardized, centered_rank, sign)",
    )
    """How fitness becomes the weight of each member. ars, snes, cma-es and sep-cma-es have a shaping of their own."""
    optimizer: Optimizer = setting("adam", follows=OF_STRATEGY, axis=OPTIMIZERS, search="choice(sgd, momentum, adam)")
    """The Optax optimizer that takes the step."""
    lr: float = setting(0.01, follows=OF_STRATEGY, check=positive("0.01"), search="log(0.0001, 1)")
    """The learning rate of the optimizer; for snes, that of the mean. Default for ars: 0.05, for snes: 1, else 0.01."""
    lr_schedule: Literal["constant", "linear", "cosine", "inverse"] = setting(
        "constant", follows=OF_STRATEGY, search="choice(constant, linear, cosine)"
    )
    """The learning rate over --generations: constant; falling to 0 along a line or a cosine; or inverse: lr/(1 + t/50)
    in generation t, however many there are."""
    momentum: float = setting(
        0.9,
        follows=OF_STRATEGY,
        check=share_below_one,
        search="uniform(0.5, 0.99)",
        when=("optimizer", OPTIMIZERS.readers("momentum")),
    )
    """The momentum of the optimizers momentum, nesterov and rmsprop."""
    weight_decay: float = setting(0.0, follows=OF_STRATEGY, check=not_negative, search="log(1e-6, 0.1)")
    """L2 coefficient, added to the estimate before the optimizer (decoupled for adamw and lion)."""
    batch: int | None = setting(
        None, heading="Minibatches of a data set", task=DATA, check=at_least(1), search="choice(32, 64, 128, 256, 512)"
    )
    """Examples of a minibatch. Default: 256, of a table 1024; or all training examples where there are fewer."""
    batch_sampling: Literal["random", "contiguous"] = setting("random", task=DATA, search="choice(random, contiguous)")
    """random draws examples with replacement; contiguous takes a slice at a random start."""
    batch_sharing: Literal["shared", "private"] = setting(
        "shared", follows=OF_PERTURBATION, task=DATA, search="choice(shared, private)"
    )
    """One minibatch a generation for all members (shared), or one for each draw (private)."""
    shift: int = setting(0, task=DATA, check=at_least(0, "use 0 (none) to 2 pixels"), search="choice(0, 1, 2)")
    """Move each training image by up to this many pixels, at random, each time that it is used."""
    episodes: int = setting(
        1, heading="Episodes of an environment", task=ENVIRONMENT, check=at_least(1), search="choice(1, 2, 4)"
    )
    """Episodes of each member; its fitness is their mean return."""
    member_steps: int = setting(0, task=ENVIRONMENT, check=at_least(0, "use 0 (none) or a number of steps"))
    """Each member starts further episodes until it has taken this many steps, so that a generation has at least
    population · member-steps steps, and at least population · episodes episodes."""
    eval_episodes: int = setting(16, task=ENVIRONMENT, check=at_least(1))
    """Episodes of an evaluation. Their mean return with the mean parameters is the validation score; they are the same
    each time."""
    episode_limit: str = setting("none", numeric=True, task=ENVIRONMENT)
    """Steps after which an episode is cut: none (the environment's own limit), adaptive (twice the mean length of the
    generation before), or a number."""
    survival_bonus: float = setting(0.0, task=ENVIRONMENT, check=finite)
    """A part of every step's reward that is left out of the fitness, such as the 5 of Humanoid; scores include it."""
    observations: Literal["raw", "normalized"] = setting("raw", task=ENVIRONMENT, search="choice(raw, normalized)")
    """What the policy sees: raw observations, or normalized ones (minus the running mean, divided by the running
    standard deviation)."""
    action_noise: float = setting(0.0, task=ENVIRONMENT, check=not_negative, search="choice(0.0, 0.01, 0.1)")
    """Standard deviation of noise on the continuous actions of members, in half ranges of the action."""
    action_bins: int | None = setting(None, task=ENVIRONMENT, check=at_least(2))
    """The number of values that each component of a continuous action may have. Default: any value."""
    frame_skip: int = setting(1, task=ENVIRONMENT, check=at_least(1))
    """Steps of the environment that an action is held for."""
    env_options: str | None = setting(None, task=ENVIRONMENT)
    """Keyword arguments of the environment's maker, as JSON: '{"ctrl_cost_weight": 0.5}'."""
    generations: int = setting(1000, heading="When to stop, evaluate and save", resume=True, check=at_least(1))
    """Stop after this many generations."""
    budget: str | None = setting(None, numeric=True, resume=True, check=fields.duration)
    """Stop after this much training time: 90s, 10m, 1h30m."""
    target: float | None = setting(None, resume=True)
    """Stop when the validation score reaches this: an accuracy such as 0.95, another --metric, or an environment's
    return."""
    patience: int | None = setting(None, resume=True, check=at_least(1))
    """Stop after this many evaluations on the validation split without a new best."""
    eval_every: int = setting(50, check=at_least(1))
    """Generations between evaluations on the validation split."""
    checkpoint_every: int = setting(100, resume=True, check=at_least(1))
    """Generations between checkpoints."""
    keep_checkpoints: int = setting(3, resume=True, check=at_least(1))
    """How many checkpoints to keep, beside the best by validation."""
    engine: Engine = setting("auto", heading="Where it runs", resume=True, axis=ENGINES)
    """Where the evaluations run. The result is the same, bit by bit."""
    address: str | None = setting(None, resume=True)
    """The Ray cluster: HOST:PORT, or auto for the one that this machine belongs to. Default: one of this machine."""
    exchange: Literal["sums", "scalars"] = setting("sums", resume=True)
    """What workers of a Ray cluster send: partial sums of the estimate, or only fitness (then each worker computes the
    whole update itself)."""
    workers: str = setting("auto", numeric=True, resume=True, check=fields.workers)
    """The number of workers that share a generation: processes, this one included, or devices of the inline engine.
    auto: one process a core, or all GPUs."""
    chunks: int | None = setting(None, check=at_least(1))
    """Parts that a generation is cut into, the most workers that can share it. It sets the order of sums, so it is
    part of the result. Default: as many as suit the population."""
    deadline: float = setting(60.0, resume=True, check=positive("60"))
    """Seconds of silence after which a worker counts as dead, and is replaced."""
    seed: int = setting(0, heading="Seeds and data", check=fields.seed)
    """The seed of everything random: initial weights, noise, minibatches and splits."""
    split_seed: int | None = setting(None, task=DATA, check=fields.seed)
    """A seed for the split of a file into training, validation and test examples alone. Default: --seed."""
    label: str | None = setting(None, task=DATA, names=True)
    """The label column of a table, or several: a,b. Default: a column named label, target, class or y."""
    problem: Problem = setting("auto", task=DATA, axis=PROBLEMS)
    """What the labels of a file are."""
    columns: str | None = setting(None, task=DATA, names=True)
    """The columns of a table to learn from: a,b,c. Default: all but the label."""
    drop: str | None = setting(None, task=DATA, names=True)
    """Columns of a table to leave out: a,b."""
    kinds: str | None = setting(None, task=DATA, flag="as", names=True)
    """The kinds of columns whose kind would not be found: zip=category,when=date; also number and flag."""
    split: str = setting("auto", task=DATA)
    """How a file is dealt into training, validation and test: random, stratified (each class by its share),
    time:COLUMN (the latest rows for the test), group:COLUMN (groups stay together). auto: stratified for classes."""
    test: str | None = setting(None, task=DATA, path=True, resume=True, check=file_name)
    """A table of its own for the test."""
    val: str | None = setting(None, task=DATA, path=True, resume=True, check=file_name)
    """A table of its own for validation."""
    size: str | None = setting(None, task=DATA)
    """The size that images of a folder are brought to: 28x28."""
    standardize: Literal["auto", "none", "center", "standard"] = setting(
        "auto", task=DATA, search="choice(auto, center, standard)"
    )
    """Inputs: auto (bytes to 0..1, CSV columns to mean 0 and variance 1), none, center (bytes to 0..1,
    each feature to mean 0), or standard (each feature to mean 0 and variance 1)."""
    data_dir: str | None = setting(None, path=True, resume=True, check=file_name)
    """Where the MNIST files lie. Default: $NOGRAD_DATA, the user cache, else downloaded."""
    out: str | None = setting(None, heading="Run and recipe", control=True, path=True, check=file_name)
    """The run directory. Default: runs/TASK-DATE-TIME."""
    preset: str | None = setting(None, control=True)
    """Start from a recipe that ships with the package; see nograd presets."""
    config: str | None = setting(None, control=True, path=True, check=file_name)
    """Start from a recipe of your own: FILE.toml with these settings as keys."""
    resume: str | None = setting(None, control=True, path=True, check=file_name)
    """Continue a run: its directory, or one of its checkpoints."""
    init: str | None = setting(None, control=True, path=True, check=file_name)
    """Begin with given parameters: the best of a run (its directory), or those of a .safetensors file."""
    open: bool = setting(False, heading="Watching", control=True)
    """Write the page RUN/report.html while the training runs, and show it in the browser."""
    tensorboard: bool = setting(False, control=True)
    """Write the metrics for TensorBoard too: tensorboard --logdir runs."""
    wandb: bool = setting(False, control=True)
    """Send the metrics to Weights & Biases too, to the project $WANDB_PROJECT or nograd."""


@cache
def all_settings() -> dict[str, Setting]:
    """Every field of `TrainConfig` with its form, default and metadata, by name."""
    return {one.name: one for one in settings_of(TrainConfig)}


@cache
def recipe_fields() -> dict[str, Setting]:
    """The fields that define a run: all but those that say where it is written and what it starts from."""
    return {name: one for name, one in all_settings().items() if not one.metadata.get("control")}


def changeable() -> frozenset[str]:
    """The settings that a resumption may change: when to stop, what to keep, where it runs and where the data lie."""
    return frozenset(name for name, one in all_settings().items() if one.metadata.get("resume"))


def settings(config: TrainConfig) -> dict[str, Any]:
    """The defining settings of a config, by name."""
    return {name: getattr(config, name) for name in recipe_fields()}
