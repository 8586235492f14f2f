"""The messages between a driver and its workers; see docs/explanations/workers.md.

What is published carries an epoch. A request names the epochs of all that it reads, a worker refuses to compute with
any other, and an answer names its request. So nothing is computed from the data of another phase, and no answer is
mistaken for another: a mistake raises an error, and never gives a wrong result.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from nograd.core.types import EngineError

Share: TypeAlias = tuple[int, int]  # chunks from the first up to, not with, the second


class Epoch(NamedTuple):
    """When something was published. No two publications of any two drivers have the same one."""

    run: int  # a random number of the driver
    generation: int  # that the driver has begun: counted by it, as a state may be stepped twice
    phase: int  # 0: what evaluation reads; 1: what the estimate needs in addition


NEVER = Epoch(0, -1, -1)  # of memory that holds nothing yet, or is being written


class Request(NamedTuple):
    """A share of one phase, asked of a worker."""

    id: int  # of this request alone
    kind: str  # "evaluate", "estimate" or "both"
    generation: int  # of the state: part of the address of every draw
    share: Share
    reads: Mapping[str, Epoch]  # what it reads ("params", "fitness", "state"), and of which epoch


class Update(NamedTuple):
    """The whole update of a state that a worker holds, from what was found of all members. It has no answer."""

    generation: int
    before: Epoch  # of the state that is updated
    after: Epoch  # of the state that comes out
    found: list[Any]


class Ready(NamedTuple):
    """The worker has started, and can be asked."""


class Alive(NamedTuple):
    """The worker is still busy with something that takes long."""


class Answer(NamedTuple):
    """The result of a request."""

    request: int
    result: Any  # of a type of the transport: the place of the result, or the result itself
    seconds: float  # that the share took by the worker's own clock; 0 where that was stopped meanwhile
    size: int = 0  # bytes that came with it


class Failed(NamedTuple):
    """A request could not be done; request 0: the worker cannot start."""

    request: int
    text: str


class Refused(NamedTuple):
    """What the request reads is not what the worker holds."""

    request: int
    text: str


Message: TypeAlias = Ready | Alive | Answer | Failed | Refused


class EpochError(EngineError):
    """What was published is not what a request reads. It never happens with a correct driver."""


class LostError(Exception):
    """A worker has died.

    Args:
        cause: of its death, as the end of a sentence that begins with "worker 1".
        words: the last that it wrote to its standard error.
        itself: whether it ended by itself, so that a new worker would probably end in the same way.
    """

    def __init__(self, cause: str, words: str = "", itself: bool = False) -> None:
        super().__init__(cause)
        self.cause, self.words, self.itself = cause, words, itself


def require(reads: Mapping[str, Epoch], held: Mapping[str, Epoch]) -> None:
    """Raises EpochError where something that is to be read is held in another epoch, or not at all."""
    for name, epoch in reads.items():
        if (other := held.get(name, NEVER)) != epoch:
            raise EpochError(f"{name} of {_words(epoch)} are to be read, but those of {_words(other)} are there")


def _words(epoch: Epoch) -> str:
    if epoch == NEVER:
        return "no generation"
    return f"run {epoch.run:x}, generation {epoch.generation}, phase {epoch.phase}"
