"""The settings of a training, without JAX: command-line flags, recipe and record of a run in one frozen dataclass."""

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

# The allowed words are those of the registries, which a type checker cannot read.
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
    """Train a network by Evolution Strategies. The defaults below hold where no recipe says otherwise: mnist, digits,
    tables and some environments have a recipe of their own (see nograd presets), over which flags are laid.
    """

    task: Positional[str | None] = setting(None, heading="Task", path=True, check=file_name)
    """What to learn. A data set: mnist, digits, one of scikit-learn's (iris, wine, breast_cancer, diabetes, linnerud),
    a table (FILE.csv, .tsv, .parquet, .json, .jsonl or .xlsx), arrays (FILE.npz or .npy) or a folder of images with a
    subfolder for each class. Or an environment: CartPole-v1, HalfCheetah-v5, any id of EnvPool or Gymnasium,
    brax/humanoid, or module:make_env, a function of yours. Default: mnist if its files are on disk or can be
    downloaded, else digits."""
    model: str = setting(DEFAULT_MODEL, axis=MODELS, search="choice(mlp:32, mlp:64, mlp:128)")
    """The network: one of the words below, with layer widths of your own after the colon where one is shown;
    module:function of your own; or auto, which chooses by the number of examples. Default: auto for tables, else
    mlp:64."""
    fitness: str | None = setting(
        None, task=DATA, axis=FITNESSES, search="choice(cross_entropy, squared_error, accuracy)"
    )
    """What each member of the population is scored by on its minibatch: one of the words below, or module:function of
    your own, which takes (outputs [batch, classes], labels [batch]) and returns [batch], or one number for the whole
    batch; higher is better. Default: cross_entropy for classes and for several labels, squared_error for numbers."""
    metric: str | None = setting(None, task=DATA, axis=METRICS)
    """The score on the validation split that decides which parameters are kept; --target and --patience read it too.
    One of the words below, or module:function of your own, (y_true, y_pred) -> a number, as in sklearn.metrics.
    Default: accuracy for classes, r2 for numbers, f1 for several labels."""
    class_weight: str | None = setting(None, task=DATA, names=True)
    """Weights of the classes in the fitness: balanced (the rarer a class, the larger its weight, as in scikit-learn),
    or CLASS=WEIGHT pairs such as a=1,b=3; a class that is not named has weight 1."""
    strategy: Strategy | None = setting(
        None,
        heading="Strategy and perturbation",
        axis=STRATEGIES,
        search=STRATEGIES.range,
    )
    """How the fitness of the population moves the parameters. Default: the recipe's, else openai-es."""
    perturbation: Perturbation | None = setting(
        None, follows=OF_STRATEGY, axis=PERTURBATIONS, search=PERTURBATIONS.range
    )
    """How the members of the population differ from the parameters that are trained, which are their mean. Default: the
    recipe's, else dense."""
    noise: Noise = setting("rademacher", follows=OF_BOTH, axis=NOISES, search="choice(gaussian, rademacher)")
    """The distribution of the random draws. Default: rademacher; gaussian for snes, pgpe, cma-es and sep-cma-es, which
    learn sigma from the size of the draws."""
    sigma: float = setting(0.05, follows=OF_BOTH, check=positive("0.01"), search="log(0.001, 1)")
    """Standard deviation of the perturbation, in units of the parameters (with node: of the layers' outputs). A
    strategy that learns sigma starts from this value. Default: 0.05; 0.1 for snes, cma-es and sep-cma-es."""
    lr_sigma: float | None = setting(None, follows=OF_STRATEGY, check=positive("0.1"), search="log(0.001, 1)")
    """Learning rate of sigma, for snes and pgpe. Default: (3 + ln d)/(5√d) for snes, with d parameters; 0.1 for
    pgpe."""
    directions: int = setting(32, follows=OF_PERTURBATION, task=DATA, check=at_least(1), search="choice(8, 16, 32, 64)")
    """How many random directions are tried for each example (node) or for each group of examples (lowrank)."""
    rank: int = setting(1, follows=OF_PERTURBATION, check=at_least(1), search="choice(1, 2, 4)")
    """Rank of the perturbation of each matrix, for lowrank."""
    group: int = setting(
        8,
        follows=OF_PERTURBATION,
        task=DATA,
        check=at_least(0, "use 0 (the whole batch) or a number of examples"),
        search="choice(1, 4, 8, 16)",
    )
    """For lowrank: how many examples share the same random directions. 0: all of a batch, with as many members as
    --population says."""
    densify: bool = setting(False, follows=OF_PERTURBATION)
    """Use dense noise for a parameter that lowrank or node has no rule for, in place of stopping with an error."""
    mirrored: bool = setting(True, follows=OF_STRATEGY, search="choice(true, false)")
    """Evaluate each draw with both signs (antithetic sampling). ars always does, cma-es and sep-cma-es never do."""
    population: int | None = setting(
        None,
        follows=OF_BOTH,
        check=at_least(1),
        search="choice(32, 64, 128, 256, 512)",
        when=("perturbation", ("dense",)),
    )
    """Members evaluated in each generation; an even number with mirrored sampling. With node, and on a data set with
    lowrank (unless --group 0), it follows from --batch, --group and --directions, and cannot be set. Default: 256."""
    top: int | float | None = setting(
        None, follows=OF_BOTH, search="log(0.05, 0.95)", when=("perturbation", ("dense",))
    )
    """For ars: how many of the directions each step uses, those with the best members. A number, or a share below 1.
    Default: all."""
    shaping: Shaping = setting(
        "centered_rank",
        heading="Update",
        follows=OF_STRATEGY,
        axis=SHAPINGS,
        search="choice(raw, standardized, centered_rank, sign)",
    )
    """How the fitness of the members becomes their weights in the estimate. ars, snes, cma-es and sep-cma-es have a
    shaping of their own."""
    optimizer: Optimizer = setting("adam", follows=OF_STRATEGY, axis=OPTIMIZERS, search="choice(sgd, momentum, adam)")
    """The Optax optimizer that turns the estimate into a step."""
    lr: float = setting(0.01, follows=OF_STRATEGY, check=positive("0.01"), search="log(0.0001, 1)")
    """The learning rate of the optimizer; for snes, that of the mean. Default: 0.01; 0.05 for ars, 1 for snes."""
    lr_schedule: Literal["constant", "linear", "cosine", "inverse"] = setting(
        "constant", follows=OF_STRATEGY, search="choice(constant, linear, cosine)"
    )
    """How the learning rate changes over the training: constant; linear or cosine, which fall to 0 at the last of
    --generations; or inverse, lr/(1 + t/50) in generation t."""
    momentum: float = setting(
        0.9,
        follows=OF_STRATEGY,
        check=share_below_one,
        search="uniform(0.5, 0.99)",
        when=("optimizer", OPTIMIZERS.readers("momentum")),
    )
    """The momentum of the optimizers momentum, nesterov and rmsprop."""
    weight_decay: float | None = setting(None, follows=OF_STRATEGY, check=not_negative, search="log(1e-6, 0.1)")
    """L2 coefficient, added to the estimate before the optimizer (decoupled for adamw and lion). Default: 0; with
    --model auto on a table 0.01, or 0.1 if it has fewer than 60 training rows."""
    batch: int | None = setting(
        None, heading="Minibatches of a data set", task=DATA, check=at_least(1), search="choice(32, 64, 128, 256, 512)"
    )
    """Examples in a minibatch. Default: 256, or 1024 for a table; all training examples where there are fewer."""
    batch_sampling: Literal["random", "contiguous"] = setting("random", task=DATA, search="choice(random, contiguous)")
    """random: examples drawn with replacement; contiguous: a slice that begins at a random example."""
    batch_sharing: Literal["shared", "private"] = setting(
        "shared", follows=OF_PERTURBATION, task=DATA, search="choice(shared, private)"
    )
    """shared: one minibatch per generation for all members; private: another one for each draw of the noise."""
    shift: int = setting(
        0, task=DATA, check=at_least(0, "use 0 (no shift) or a number of pixels"), search="choice(0, 1, 2)"
    )
    """Move each training image by up to this many pixels in a random direction, anew each time that it is used."""
    episodes: int = setting(
        1, heading="Episodes of an environment", task=ENVIRONMENT, check=at_least(1), search="choice(1, 2, 4)"
    )
    """Episodes that each member plays; the mean of their returns is its fitness."""
    member_steps: int = setting(0, task=ENVIRONMENT, check=at_least(0, "use 0 (none) or a number of steps"))
    """Each member plays further episodes until it has taken this many steps. 0: it plays --episodes and no more."""
    eval_episodes: int = setting(16, task=ENVIRONMENT, check=at_least(1))
    """Episodes of an evaluation, played with the trained parameters from the same seeds each time. Their mean return is
    the validation score."""
    episode_limit: str = setting("none", numeric=True, task=ENVIRONMENT)
    """Steps after which an episode is cut: none (the environment's own limit), adaptive (twice the mean length of the
    episodes of the generation before), or a number."""
    survival_bonus: float = setting(0.0, task=ENVIRONMENT, check=finite)
    """The part of every step's reward that is left out of the fitness, such as the 5 that Humanoid pays for not
    falling. Scores include it."""
    observations: Literal["raw", "normalized"] = setting("raw", task=ENVIRONMENT, search="choice(raw, normalized)")
    """What the policy sees: raw observations, or normalized ones (minus the running mean, divided by the running
    standard deviation)."""
    action_noise: float = setting(0.0, task=ENVIRONMENT, check=not_negative, search="choice(0.0, 0.01, 0.1)")
    """Standard deviation of noise that is added to the members' continuous actions; 1 is half of an action's range."""
    action_bins: int | None = setting(None, task=ENVIRONMENT, check=at_least(2))
    """Restrict each component of a continuous action to this many evenly spaced values. Default: any value."""
    frame_skip: int = setting(1, task=ENVIRONMENT, check=at_least(1))
    """Steps of the environment for which each action is repeated."""
    env_options: str | None = setting(None, task=ENVIRONMENT)
    """Keyword arguments for the environment's constructor, as JSON: '{"ctrl_cost_weight": 0.5}'."""
    generations: int = setting(1000, heading="When to stop, evaluate and save", resume=True, check=at_least(1))
    """Stop after this many generations."""
    budget: str | None = setting(None, numeric=True, resume=True, check=fields.duration, metavar="TIME")
    """Stop after this much training time: 90s, 10m, 1h30m."""
    target: float | None = setting(None, resume=True)
    """Stop when the validation score is as good as this: an accuracy such as 0.95, a value of another --metric, or an
    environment's return."""
    patience: int | None = setting(None, resume=True, check=at_least(1))
    """Stop after this many evaluations in a row without a new best validation score."""
    eval_every: int = setting(50, check=at_least(1))
    """Generations between evaluations on the validation split."""
    checkpoint_every: int = setting(100, resume=True, check=at_least(1))
    """Generations between checkpoints."""
    keep_checkpoints: int = setting(3, resume=True, check=at_least(1))
    """How many of the latest checkpoints to keep. The best one by validation is always kept."""
    engine: Engine = setting("auto", heading="Where it runs", resume=True, axis=ENGINES)
    """Where the members are evaluated. It changes the time that this takes, and no bit of the result."""
    address: str | None = setting(None, resume=True)
    """The Ray cluster to join: HOST:PORT, or auto for the one that this machine belongs to. Default: start one on this
    machine."""
    exchange: Literal["sums", "scalars"] = setting("sums", resume=True)
    """What the workers of a Ray cluster send: sums (partial sums of the estimate), or scalars (only the fitness; each
    worker then computes the whole update itself)."""
    workers: str = setting("auto", numeric=True, resume=True, check=fields.workers)
    """How many workers share a generation: processes, this one included, or devices with --engine inline. auto: one
    process per core, or all GPUs."""
    chunks: int | None = setting(None, check=at_least(1))
    """Parts that the work of a generation is cut into; no more workers than that can share it. Floating-point sums
    depend on it, so another number gives a slightly different result. Default: as many as suit the population."""
    deadline: float = setting(60.0, resume=True, check=positive("60"))
    """Seconds without a sign of life after which a worker counts as dead and is replaced."""
    seed: int = setting(0, heading="Seeds and data", check=fields.seed)
    """The seed of everything random: initial weights, noise, minibatches and the split of a file."""
    split_seed: int | None = setting(None, task=DATA, check=fields.seed)
    """The seed for the split of a file into training, validation and test examples, if it is to differ from --seed.
    Default: --seed."""
    label: str | None = setting(None, task=DATA, names=True)
    """The label column of a table, or several: a,b. Default: the column named label, target, class or y."""
    problem: Problem = setting("auto", task=DATA, axis=PROBLEMS)
    """What the labels of a file are."""
    columns: str | None = setting(None, task=DATA, names=True)
    """The columns of a table to learn from: a,b,c. Default: all but the label."""
    drop: str | None = setting(None, task=DATA, names=True)
    """Columns of a table to leave out: a,b."""
    kinds: str | None = setting(None, task=DATA, flag="as", names=True)
    """How to read columns that would be read wrongly: zip=category,when=date; the kinds are number, category, flag
    (true or false) and date."""
    split: str = setting("auto", task=DATA)
    """How a file is divided into training, validation and test: random; stratified (each class with the same share in
    all three); time:COLUMN (the latest rows are the test); group:COLUMN (all rows with the same value in one part).
    auto: stratified for classes, else random."""
    test: str | None = setting(None, task=DATA, path=True, resume=True, check=file_name)
    """A second table, all of whose rows are the test split."""
    val: str | None = setting(None, task=DATA, path=True, resume=True, check=file_name)
    """A second table, all of whose rows are the validation split."""
    size: str | None = setting(None, task=DATA)
    """Width x height in pixels that the images of a folder are resized to, such as 28x28. Needed where they differ in
    size."""
    standardize: Literal["auto", "none", "center", "standard"] = setting(
        "auto", task=DATA, search="choice(auto, center, standard)"
    )
    """How inputs are scaled: auto (bytes to 0..1, the columns of a table to mean 0 and variance 1), none, center (bytes
    to 0..1, then each feature to mean 0), or standard (each feature to mean 0 and variance 1)."""
    data_dir: str | None = setting(None, path=True, resume=True, check=file_name)
    """The folder of the MNIST files. Default: $NOGRAD_DATA, then the user's cache, then a download."""
    out: str | None = setting(None, heading="Run and recipe", control=True, path=True, check=file_name)
    """The run directory. Default: runs/TASK-DATE-TIME."""
    preset: str | None = setting(None, control=True)
    """Start from a recipe that ships with nograd; nograd presets lists them. Default: the task's own, where there is
    one."""
    config: str | None = setting(None, control=True, path=True, check=file_name)
    """Start from a recipe of your own: FILE.toml, whose keys are the names of these settings."""
    resume: str | None = setting(None, control=True, path=True, check=file_name)
    """Continue a run: its directory, or one of its checkpoints."""
    init: str | None = setting(None, control=True, path=True, check=file_name)
    """Begin with given parameters: the best of a run (its directory), or those of a .safetensors file."""
    open: bool = setting(False, heading="Watching", control=True)
    """Write the page RUN/report.html while the training runs, and show it in the browser."""
    tensorboard: bool = setting(False, control=True)
    """Write the metrics for TensorBoard, too; look at them with: tensorboard --logdir runs."""
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
