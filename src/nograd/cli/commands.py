"""The commands of `nograd`. A command's module is imported only when the command is called, so that --help is fast."""

from typing import NamedTuple


class Command(NamedTuple):
    """One command of `nograd`."""

    module: str  # module of `nograd.cli` with a function that is named like the command
    settings: str  # the dataclass of the command's flags, as "module:Class"
    text: str  # the description in `nograd --help`


COMMANDS = {
    "train": Command("train", "nograd.config.settings:TrainConfig", "train a network by Evolution Strategies"),
    "evaluate": Command(
        "runs", "nograd.cli.runs:EvaluateConfig", "score a run on a split, on new examples or on fresh episodes"
    ),
    "predict": Command(
        "runs", "nograd.cli.runs:PredictConfig", "predict new examples with the trained network of a run"
    ),
    "export": Command(
        "export",
        "nograd.cli.export:ExportConfig",
        "write the network of a run as a file: ONNX, StableHLO, safetensors, Keras, PyTorch",
    ),
    "minimize": Command(
        "minimize", "nograd.cli.minimize:MinimizeConfig", "find the point where a function has its lowest value"
    ),
    "maximize": Command(
        "minimize", "nograd.cli.minimize:MinimizeConfig", "find the point where a function has its highest value"
    ),
    "search": Command("studies", "nograd.tuning.settings:SearchConfig", "search hyperparameters within a time budget"),
    "speedup": Command("studies", "nograd.scaling.settings:SpeedupConfig", "time the same work on 1, 2, 4 … workers"),
    "runs": Command(
        "runs", "nograd.cli.runs:RunsConfig", "list the runs in a folder with their scores, the newest last"
    ),
    "report": Command(
        "runs",
        "nograd.reports.settings:ReportConfig",
        "write an HTML page about runs, a study or a measured speedup",
    ),
    "presets": Command("runs", "nograd.cli.runs:PresetsConfig", "list the recipes that ship with nograd"),
    "completion": Command(
        "completion", "nograd.cli.completion:CompletionConfig", "print a script that completes flags in your shell"
    ),
}
