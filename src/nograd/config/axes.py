"""The registries: every strategy, perturbation, noise, shaping, optimizer, network and engine by its name.

To add one, write it in a new file and add a line here. The parser, help, defaults, errors, recipes, the search space
and the checks for settings that it does not use read that line.
"""

from nograd.config.registry import DATA, ENVIRONMENT, Axis, Entry
from nograd.config.scores import FITNESSES, METRICS

_STEP = ("optimizer", "lr", "lr_schedule", "momentum", "weight_decay")  # the settings of an Optax optimizer
_RANDOM_SIGNS = (
    "rademacher",
    "which learns sigma from the size of the draws: all of rademacher's are equal; use gaussian or table",
)
_LEARNS_SIGMA = {"noise": _RANDOM_SIGNS}

STRATEGIES = Axis(
    "strategy",
    {
        "openai-es": Entry(
            "an optimizer along the estimated gradient (Salimans et al. 2017)",
            "nograd.strategies.openai_es:openai_es",
            ("perturbation", "shaping", *_STEP, "mirrored"),
        ),
        "ars": Entry(
            "plain steps along the best directions (Mania et al. 2018)",
            "nograd.strategies.ars:ars",
            ("perturbation", *_STEP, "top"),  # always mirrored
            {"optimizer": "sgd", "lr": 0.05},
        ),
        "snes": Entry(
            "learns a sigma for each parameter, by natural gradients (Schaul et al. 2011)",
            "nograd.strategies.snes:snes",
            ("lr", "mirrored", "lr_sigma"),
            {"noise": "gaussian", "sigma": 0.1, "lr": 1.0},
            _LEARNS_SIGMA,
        ),
        "pgpe": Entry(
            "learns a sigma for each parameter, with an optimizer (Sehnke et al. 2010)",
            "nograd.strategies.pgpe:pgpe",
            ("shaping", *_STEP, "mirrored", "lr_sigma"),
            {"noise": "gaussian"},
            _LEARNS_SIGMA,
        ),
        "cma-es": Entry(
            "learns the whole covariance matrix, for few parameters (Hansen 2016)",
            "nograd.strategies.cma_es:cma_es",
            (),  # never mirrored
            {"noise": "gaussian", "sigma": 0.1, "mirrored": False},
            _LEARNS_SIGMA,
            searched=False,  # its matrix has parameters × parameters elements
        ),
        "sep-cma-es": Entry(
            "learns a variance for each parameter and a step size (Ros and Hansen 2008)",
            "nograd.strategies.sep_cma_es:sep_cma_es",
            (),  # never mirrored
            {"noise": "gaussian", "sigma": 0.1, "mirrored": False},
            _LEARNS_SIGMA,
        ),
    },
)

_FIRST = ("sigma", "lr", "optimizer", "momentum")
_NO_TABLE = ("table", "which draws rademacher or gaussian")
_NO_PRIVATE = ("private", "which goes by the examples of one batch; use shared")
_LOCAL = {"noise": _NO_TABLE, "batch_sharing": _NO_PRIVATE}

PERTURBATIONS = Axis(
    "perturbation",
    {
        "dense": Entry(
            "each parameter has a draw of its own",
            "nograd.perturbations.dense:dense",
            excludes={"noise": ("orthogonal", "which divides the directions of one example or group; use rademacher")},
            searches=(*_FIRST, "shaping", "population", "batch", "lr_sigma"),
        ),
        "lowrank": Entry(
            "a low-rank product A·B added to each matrix, per group of examples (EGGROLL)",
            "nograd.perturbations.lowrank:lowrank",
            ("directions", "rank", "group", "densify"),
            excludes=_LOCAL,
            tasks=(DATA, ENVIRONMENT),
            searches=(*_FIRST, "rank", "directions", "population", "batch"),
        ),
        "node": Entry(
            "noise added to the outputs of layers, for each example",
            "nograd.perturbations.node:node",
            ("directions", "densify"),
            excludes=_LOCAL,
            tasks=(DATA,),
            searches=(*_FIRST, "directions", "batch"),
        ),
    },
)

NOISES = Axis(
    "noise",
    {
        "gaussian": Entry("normal numbers", "nograd.perturbations.noise:gaussian"),
        "rademacher": Entry("random signs, the cheapest to draw", "nograd.perturbations.noise:rademacher"),
        "table": Entry(
            "slices of a shared table of normal numbers; for dense only", "nograd.perturbations.noise:table"
        ),
        "orthogonal": Entry(
            "random signs, orthogonal over all layers together; for lowrank and node",
            "nograd.perturbations.noise:orthogonal",
        ),
        "aligned": Entry(
            "as orthogonal, with factors A of the group's examples; for lowrank on data",
            "nograd.perturbations.noise:aligned",
        ),
    },
)

SHAPINGS = Axis(
    "shaping",
    {
        "raw": Entry("the fitness itself", "nograd.strategies.shaping:raw"),
        "standardized": Entry("mean 0 and standard deviation 1", "nograd.strategies.shaping:standardized"),
        "centered_rank": Entry("ranks, from -1/2 to 1/2", "nograd.strategies.shaping:centered_rank"),
        "sign": Entry("+1 for the better one of a mirrored pair, -1 for the other", "nograd.strategies.shaping:sign"),
        "utilities": Entry(
            "log-rank weights that favour the better half, as in CMA-ES", "nograd.strategies.shaping:utilities"
        ),
    },
)

OPTIMIZERS = Axis(
    "optimizer",
    {
        "sgd": Entry("plain steps along the estimate", "nograd.strategies.optimizers:sgd"),
        "momentum": Entry(
            "a running sum of the estimates (Polyak 1964)", "nograd.strategies.optimizers:momentum", ("momentum",)
        ),
        "nesterov": Entry(
            "momentum that looks one step ahead (Nesterov 1983)", "nograd.strategies.optimizers:nesterov", ("momentum",)
        ),
        "rmsprop": Entry(
            "steps over the size of the estimates (Tieleman and Hinton 2012)", "nograd.strategies.optimizers:rmsprop",
            ("momentum",),
        ),
        "adam": Entry("means of the estimate and its square (Kingma and Ba 2015)", "nograd.strategies.optimizers:adam"),
        "adamw": Entry(
            "adam with decoupled weight decay (Loshchilov and Hutter 2019)", "nograd.strategies.optimizers:adamw"
        ),
        "lion": Entry("the sign of a running mean (Chen et al. 2023)", "nograd.strategies.optimizers:lion"),
    },
)  # fmt: skip

MODELS = Axis(
    "model",
    {
        "mlp": Entry(
            "dense layers of any widths, with ReLU; tanh for an environment",
            "nograd.models.mlp:mlp",
            form="mlp:128,64",
            policy="nograd.models.policy:policy_mlp",
        ),
        "mlp-linear": Entry(
            "a linear layer plus an MLP, whose output begins at 0; for tables",
            "nograd.models.mlp:mlp_linear",
            form="mlp-linear:16",
        ),
        "mlp-sign": Entry("an MLP whose hidden units are −1 or +1", "nograd.models.sign:mlp_sign", form="mlp-sign:128"),
        "mlp-int8": Entry("an MLP of 8-bit weights and units", "nograd.models.int8:mlp_int8", form="mlp-int8:128"),
        "mlp-spiking": Entry(
            "an MLP whose units spike over time steps", "nograd.models.spiking:mlp_spiking", form="mlp-spiking:128"
        ),
        "mlp-staircase": Entry(
            "an MLP whose units have five values",
            "nograd.models.staircase:mlp_staircase",
            form="mlp-staircase:128",
        ),
        "moe-hard": Entry(
            "a mixture of experts, of which a router chooses one for each example",
            "nograd.models.moe:moe_hard",
            form="moe-hard:8,64",
        ),
        "attention-argmax": Entry(
            "patches of an image, each of which looks at one other, then a dense layer",
            "nograd.models.attention:attention_argmax",
            form="attention-argmax:16",
        ),
        "oriented": Entry(
            "fixed oriented filters of an image, then dense layers",
            "nograd.models.oriented:oriented",
            form="oriented:32,128",
        ),
        "linear2": Entry("two linear layers without activation, as in the blog post", "nograd.models.mlp:linear2"),
        "cnn": Entry("two convolutions and a dense layer, for images", "nograd.models.mlp:cnn"),
        "gru": Entry(
            "a recurrent cell that remembers earlier steps, then dense layers", "nograd.models.recurrent:gru",
            form="gru:32",
        ),
        "lstm": Entry(
            "the same with the cell of long short-term memory", "nograd.models.recurrent:lstm", form="lstm:32"
        ),
        "linear": Entry(
            "one matrix, which begins at 0; for environments", tasks=(ENVIRONMENT,),
            policy="nograd.models.policy:linear_policy",
        ),
        "atari": Entry(
            "the network for Atari games, with virtual batch normalisation", tasks=(ENVIRONMENT,),
            policy="nograd.models.atari:atari",
        ),
    },
)  # fmt: skip

PROBLEMS = Axis(
    "problem",
    {
        "auto": Entry("found from the values of the labels"),
        "classification": Entry("one of several classes", "nograd.tasks.classification:Classes"),
        "regression": Entry("a number, or several", "nograd.tasks.regression:Numbers"),
        "multilabel": Entry("several labels of 0 and 1", "nograd.tasks.multilabel:Labels"),
    },
)

DATA_FORMATS = Axis(
    "data format",
    {
        "delimited": Entry(
            "text with a comma, semicolon or tab between values", "nograd.data.read.delimited:read_delimited",
            suffixes=(".csv", ".tsv", ".tab", ".txt", ".dat", ".data"), cells="nograd.data.read.delimited:read_cells",
            headless=True,
        ),
        "parquet": Entry("Apache Parquet", "nograd.data.read.parquet:read_parquet", suffixes=(".parquet", ".pq")),
        "json": Entry("a list of records", "nograd.data.read.records:read_json", suffixes=(".json",)),
        "jsonl": Entry("a record a line", "nograd.data.read.records:read_jsonl", suffixes=(".jsonl", ".ndjson")),
        "excel": Entry(
            "a workbook of Excel", "nograd.data.read.excel:read_excel", suffixes=(".xlsx", ".xlsm"), compressed=True
        ),
    },
)  # fmt: skip

_ID = r"[\w./:-]+-v\d+"  # CartPole-v1, ALE/Pong-v5, my_module:MyEnv-v0
_FUNCTION = r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"  # my_module:make_env

# Asked in this order: the first one that knows the name makes the environment.
ENV_SOURCES = Axis(
    "source of environments",
    {
        "brax": Entry("Brax", "nograd.envs.source_jax:Brax", form="brax/humanoid", pattern=r"brax/\w+", in_jax=True),
        "function": Entry(
            "a function of yours", "nograd.envs.source_gymnasium:Function", form="module:function", pattern=_FUNCTION
        ),
        "jax": Entry("a function of yours, in JAX", "nograd.envs.source_jax:JaxFunction", in_jax=True),
        "envpool": Entry("EnvPool", "nograd.envs.source_envpool:EnvPool", form="HalfCheetah-v5", pattern=_ID),
        "gymnasium": Entry("Gymnasium", "nograd.envs.source_gymnasium:Gymnasium", form="CartPole-v1", pattern=_ID),
    },
)

REPORT_SECTIONS = Axis(
    "report section",
    {
        # No kind of task asks for it: kinds of target do, by `Targets.sections`.
        "mistakes": Entry("what a classifier gets wrong", "nograd.reports.mistakes:mistakes_of", tasks=()),
        "numbers": Entry("numbers against the truth", "nograd.reports.regression:numbers_of", tasks=()),
        "importance": Entry("columns of a table", "nograd.reports.importance:importance_of", tasks=(DATA,)),
    },
)

EXPORTS = Axis(
    "export format",
    {
        "safetensors": Entry(
            "the parameters by name, and how inputs are encoded as JSON", "nograd.runs.export.safetensors:encode",
            suffixes=(".safetensors",),
        ),
        "stablehlo": Entry(
            "the whole prediction as a program of StableHLO, by jax.export", "nograd.runs.export.stablehlo:encode",
            suffixes=(".stablehlo",),
        ),
        "onnx": Entry(
            "the whole prediction as an ONNX graph (extra onnx)", "nograd.runs.export.onnx:encode", suffixes=(".onnx",)
        ),
        "keras": Entry(
            "the Keras model that was trained, with its weights", "nograd.runs.export.keras:encode",
            suffixes=(".keras",),
        ),
        "torch": Entry(
            "the state_dict of the PyTorch module that was trained", "nograd.runs.export.torch:encode",
            suffixes=(".pt", ".pth"),
        ),
    },
)  # fmt: skip

ENGINES = Axis(
    "engine",
    {
        "auto": Entry("process on a CPU with several cores, else inline", "nograd.engines.local:Automatic"),
        "inline": Entry("this process, on one or several devices", "nograd.engines.local:OnDevices"),
        "process": Entry("one process per core of this machine", "nograd.engines.local:OnProcesses"),
        "ray": Entry("a Ray cluster", "nograd.engines.ray:OnCluster", ("address", "exchange")),
    },
)

__all__ = ["ENGINES", "FITNESSES", "METRICS", "MODELS", "PERTURBATIONS", "STRATEGIES"]
