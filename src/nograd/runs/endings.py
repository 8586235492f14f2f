"""Why a training has ended, in words, for the terminal, tables and pages. Searches for a minimum have their own."""

_WORDS = {
    "generations": "all generations done",
    "budget": "the time budget is used up",
    "target": "the target is reached",
    "no_improvement": "the score has not become better for long",
    "interrupted": "interrupted",
    "nonfinite_fitness": "no fitness was finite",
    "nonfinite_parameters": "the update was not finite",
}
GOOD = ("generations", "budget", "target", "no_improvement")


def ending(reason: str) -> str:
    """The words for a stop reason; a reason of the user's own is its own text."""
    return _WORDS.get(reason, reason)


def failed(reason: str) -> bool:
    """Whether a training ended because a number was NaN or infinite."""
    return reason.startswith("nonfinite")
