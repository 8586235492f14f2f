"""The sections that only some runs have, from the registry `config.axes.REPORT_SECTIONS`."""

from collections.abc import Callable
from typing import TypeAlias

from nograd.config.axes import REPORT_SECTIONS
from nograd.config.task_settings import kind_of
from nograd.reports.html import Markup, join
from nograd.runs.run import Run
from nograd.tasks.examples import Split

Section: TypeAlias = Callable[[Run, Split], Markup]  # returns empty Markup if it does not apply to the run


def own_sections(run: Run, split: Split) -> Markup:
    """The special sections of a run for a split.

    First those that its kind of target names, then those that the registry has for its kind of task.
    """
    kind = kind_of(run.settings.task)
    general = [word for word in REPORT_SECTIONS.suited(kind) if word not in run.shown.sections]
    words = [word for word in run.shown.sections if word in REPORT_SECTIONS.entries]
    return join([_section(word)(run, split) for word in (*words, *general)])


def _section(word: str) -> Section:
    function: Section = REPORT_SECTIONS.builder(word)
    return function
