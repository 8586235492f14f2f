"""Draws the README's picture, from two trainings that it runs: python docs/pictures/at_work.py (a quarter of a minute).

Left: OpenAI-ES on a function of two numbers that is made of steps, so that its gradient is zero or absent everywhere.
Right: `nograd train digits`, the accuracy on the validation examples.
"""

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

import nograd as ng
from nograd.core.colours import PALETTE

FOLDER = Path(__file__).parent
SHOWN = (0, 14, 50)  # the generations whose members are drawn
GOAL = np.array([1.6, -0.9])


class Colours(NamedTuple):
    """The colours of one picture; the page behind it shows through."""

    ink: str
    faint: str
    line: str
    members: tuple[str, ...]
    low: str
    high: str


def colours_of(dark: bool) -> Colours:
    """Those of nograd's pages; the steps are shades of the first series."""
    ink, quiet, line, *members = (
        PALETTE[name][dark] for name in ("ink", "quiet", "series-0", "series-1", "series-3", "series-2")
    )
    return Colours(ink, quiet, line, (*members,), *(("#161c28", "#3f6d94") if dark else ("#f1f4f8", "#8fb4d6")))


def steps(x: Any) -> Any:
    """Minus the number of steps to the goal, [...]: flat between them. `x` is [..., 2]."""
    return -jnp.floor(1.3 * jnp.sqrt(jnp.sum((x - GOAL) ** 2 * jnp.array([1.0, 1.8]), axis=-1)))


def climb() -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """The means of all generations [generations, 2], and the members of those that are shown, [population, 2]."""
    es = ng.openai_es(population=24, sigma=0.45, optimizer=optax.adam(0.09), noise="gaussian")
    ask, tell = jax.jit(es.ask), jax.jit(es.tell)
    state, key = es.init({"x": jnp.array([-2.2, 1.5])}), jax.random.key(3)
    means, members = [], {}
    for generation in range(max(SHOWN) + 1):
        asked = ask(state, key)["x"]
        means.append(np.asarray(state.params["x"]))
        if generation in SHOWN:
            members[generation] = np.asarray(asked)
        state, _ = tell(state, key, steps(asked))
    return np.array(means), members


def digits() -> list[dict[str, Any]]:
    """The lines of metrics.jsonl of `nograd train digits --eval-every 3 --generations 150`."""
    with tempfile.TemporaryDirectory() as folder:
        ng.train("digits", eval_every=3, generations=150, out=f"{folder}/run")
        return [json.loads(line) for line in Path(folder, "run", "metrics.jsonl").read_text("utf-8").splitlines()]


def draw_climb(axes: Axes, colours: Colours, means: np.ndarray, members: dict[int, np.ndarray]) -> None:
    """The steps from above, the path of the mean, and three populations."""
    across, up = np.meshgrid(np.linspace(-3.6, 3.2, 400), np.linspace(-2.4, 2.9, 320))
    height = np.asarray(steps(jnp.stack([across, up], axis=-1)))
    axes.imshow(
        height,
        extent=(-3.6, 3.2, -2.4, 2.9),
        origin="lower",
        cmap=LinearSegmentedColormap.from_list("steps", [colours.low, colours.high]),
        aspect="auto",
        interpolation="nearest",
    )
    axes.plot(*means.T, color=colours.ink, linewidth=1.4)
    for (generation, points), colour in zip(members.items(), colours.members, strict=True):
        axes.scatter(*points.T, s=11, color=colour, linewidths=0, label=f"members of generation {generation}")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title("A function made of steps: no useful gradient", color=colours.ink, fontsize=10)
    axes.legend(loc="upper right", fontsize=8, frameon=False, labelcolor=colours.ink, handletextpad=0.2)


def draw_digits(axes: Axes, colours: Colours, lines: list[dict[str, Any]]) -> None:
    """Validation accuracy over generations."""
    evaluated = [line for line in lines if line.get("val_accuracy") is not None]
    generations = [line["generation"] for line in evaluated]
    accuracy = [100 * line["val_accuracy"] for line in evaluated]
    axes.plot(generations, accuracy, color=colours.line, linewidth=1.8)
    axes.axhline(10, color=colours.faint, linewidth=0.8, linestyle=":")
    axes.text(generations[-1], 12, "chance", color=colours.faint, fontsize=8, ha="right")
    axes.text(generations[-1], accuracy[-1] - 7, f"{accuracy[-1]:.1f}%", color=colours.line, fontsize=9, ha="right")
    axes.set_ylim(0, 103)
    axes.set_xlabel("generation", color=colours.faint, fontsize=8)
    axes.set_title("nograd train digits: validation accuracy, %", color=colours.ink, fontsize=10)
    axes.tick_params(colors=colours.faint, labelsize=8)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(colours.faint)


def picture(colours: Colours, climbed: tuple[np.ndarray, dict[int, np.ndarray]], lines: list[dict[str, Any]]) -> Figure:
    """Both panels side by side."""
    figure = Figure(figsize=(9.2, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    draw_climb(left, colours, *climbed)
    draw_digits(right, colours, lines)
    return figure


def main() -> None:
    """Writes at_work_light.png and at_work_dark.png beside this script."""
    climbed, lines = climb(), digits()
    with mpl.rc_context({"font.family": "DejaVu Sans"}):
        for name, dark in (("light", False), ("dark", True)):
            picture(colours_of(dark), climbed, lines).savefig(FOLDER / f"at_work_{name}.png", dpi=160, transparent=True)


if __name__ == "__main__":
    main()
