"""The registries: every strategy, perturbation, network and engine by its word.

To add one, write it in a file of its own and add its line here: the parser, help, defaults, errors, the checks of
settings that it does not read, recipes and the search space follow from it.
"""

from nograd.config.registry import DATA, ENVIRONMENT, Axis, Entry

_STEP = ("optimizer", "lr", "lr_schedule", "momentum", "weight_decay")  # of an Optax optimizer
_RANDOM_SIGNS = (
    "rademacher",
    "which learns sigma from the size of the draws: all of rademacher's are equal; use gaussian or table",
)
_LEARNS_SIGMA = {"noise": _RANDOM_SIGNS}

STRATEGIES = Axis(
    "strategy",
    {
        "openai-es": Entry(
            "the estimate of the gradient, up by an optimizer (Salimans et al. 2017)",
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
        "sep-cma-es": Entry(
            "learns the variances and the step size (Ros and Hansen 2008)",
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
            "every parameter has its own draw",
            "nograd.perturbations.dense:dense",
            searches=(*_FIRST, "shaping", "population", "batch", "lr_sigma"),
        ),
        "lowrank": Entry(
            "A·B for each matrix, on groups of examples (EGGROLL)",
            "nograd.perturbations.lowrank:lowrank",
            ("directions", "rank", "group", "densify"),
            excludes=_LOCAL,
            searches=(*_FIRST, "rank", "directions", "population", "batch"),
        ),
        "node": Entry(
            "noise on the outputs of layers, for each example",
            "nograd.perturbations.node:node",
            ("directions", "densify"),
            excludes=_LOCAL,
            tasks=(DATA,),
            searches=(*_FIRST, "directions", "batch"),
        ),
    },
)

MODELS = Axis(
    "model",
    {
        "mlp": Entry(
            "dense layers of any widths, with ReLU; tanh for an environment",
            "nograd.models.mlp:mlp",
            form="mlp:128,64",
            policy="nograd.models.policy:policy_mlp",
        ),
        "mlp-sign": Entry("units that are −1 or +1", "nograd.models.sign:mlp_sign", form="mlp-sign:128"),
        "mlp-int8": Entry("weights and units of 8 bits", "nograd.models.int8:mlp_int8", form="mlp-int8:128"),
        "mlp-spiking": Entry(
            "units that spike over time steps", "nograd.models.spiking:mlp_spiking", form="mlp-spiking:128"
        ),
        "oriented": Entry(
            "fixed oriented filters of an image, then dense layers",
            "nograd.models.oriented:oriented",
            form="oriented:32,128",
        ),
        "linear2": Entry("two linear layers, the blog's network", "nograd.models.mlp:linear2"),
        "cnn": Entry("two convolutions and a dense layer, for images", "nograd.models.mlp:cnn"),
        "linear": Entry(
            "one matrix, from 0", tasks=(ENVIRONMENT,), policy="nograd.models.policy:linear_policy"
        ),
        "atari": Entry(
            "Atari's network with virtual batch normalisation", tasks=(ENVIRONMENT,),
            policy="nograd.models.atari:atari",
        ),
    },
)  # fmt: skip

ENGINES = Axis(
    "engine",
    {
        "auto": Entry("process on a CPU with several cores, else inline"),
        "inline": Entry("this process, on one or several devices"),
        "process": Entry("one process a core"),
        "ray": Entry("a Ray cluster", reads=("address", "exchange")),
    },
)
