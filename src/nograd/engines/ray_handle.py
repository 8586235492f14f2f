"""A worker as an actor of a Ray cluster, and the channel to it."""

import pickle
from typing import Any, NamedTuple

import jax

from nograd.engines.child_process import environment
from nograd.engines.programs import Programs, assembled
from nograd.engines.protocol import Answer, Epoch, Failed, LostError, Message, Ready, Request
from nograd.engines.ray_health import HeadCheck
from nograd.engines.server import Held, Server, copied

_SLICE = 2.0  # seconds between two looks at the head, while an actor is waited for


class ActorSpec(NamedTuple):
    """What an actor is made from; large parts are references into Ray's object store."""

    portable: Any  # programs by name
    local: bool
    fixed: Any  # what all of them read
    chunks: int
    width: int  # how many of a state's leaves are what evaluation reads


class Replica:
    """The object in an actor: a worker, and with scalars a copy of the state. It needs neither model nor task."""

    def placed(self) -> bool:
        """Returns True as soon as the actor has a core."""
        return True

    def setup(self, portable: dict[str, bytes], local: bool, fixed: list[Any], chunks: int, width: int) -> bool:
        """Compiles the programs; returns True when requests can be sent."""
        self.hold(assembled(portable, local), [jax.device_put(array) for array in fixed], chunks, width)
        return True

    def hold(self, programs: Programs, fixed: list[Any], chunks: int, width: int) -> None:
        """Takes the compiled programs, after which requests can be served."""
        self._held = Held()
        self._server = Server(programs, fixed, chunks, self._held, copied, width)

    def serve(self, request: bytes, *published: tuple[str, Epoch, list[Any]]) -> bytes:
        """Computes a share, from what was published for it; returns the encoded answer."""
        for each in published:
            self._held.put(*each)
        return pickle.dumps(self._server.serve(pickle.loads(request)))

    def load(self, epoch: Epoch, state: bytes) -> None:
        """Takes over a state."""
        self._held.put("state", epoch, pickle.loads(state))

    def update(self, update: bytes) -> None:
        """Makes the whole update of the state that is held, from the results of all members."""
        self._server.update(self._held, pickle.loads(update))


class Actor:
    """A replica on the cluster, and its successors; a `Channel`.

    Args:
        order: the arguments of the actor.
        head: of the cluster.
    """

    def __init__(self, order: ActorSpec, head: HeadCheck) -> None:
        self._order, self._head = order, head
        self._published: dict[str, tuple[Epoch, Any]] = {}  # references into the object store
        self.start()

    def start(self) -> None:
        """Another actor; it waits for a free core as long as it takes."""
        import ray

        self._head.look()
        remote: Any = ray.remote(num_cpus=1, runtime_env={"env_vars": environment()})(Replica)
        self.actor = remote.remote()
        self._placed, self._at_home = self.actor.placed.remote(), False
        self._saying = [(0, self.actor.setup.remote(*self._order))]  # by request; 0: the start

    def is_placed(self) -> bool:
        """Whether it has found a core."""
        import ray

        if not self._at_home:
            self._at_home = bool(ray.wait([self._placed], timeout=0)[0])
            return False  # the time that it may take begins now
        return True

    def publish(self, name: str, epoch: Epoch, reference: Any) -> None:
        """Notes the reference to the arrays that the next requests read."""
        self._published[name] = epoch, reference

    def send(self, request: Request) -> int:
        """Asks for a share; returns the bytes sent."""
        self._head.look()
        content = pickle.dumps(request)
        references = [self._published[name][1] for name in request.reads if name in self._published]
        self._saying.append((request.id, self.actor.serve.remote(content, *references)))
        return len(content)

    def receive(self, seconds: float) -> Message | None:
        """The next thing that it says within some seconds; None: nothing yet. Raises LostError where it has died."""
        import ray

        if not self._saying or not self._wait(seconds):
            return None
        request, reference = self._saying.pop(0)
        try:
            content = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            return Failed(request, f"{error}\n{type(error.cause).__name__}: {error.cause}")
        except ray.exceptions.RayError as error:  # its process, its node, its memory, an object: it cannot answer
            itself = "creation task" in str(error) or "__init__" in str(error)
            raise LostError("was lost", str(error), itself) from None
        if content is True:
            return Ready()
        message = pickle.loads(content)
        return message._replace(size=len(content)) if isinstance(message, Answer) else message

    def end(self) -> None:
        """Ends the actor; without a head it ends by itself."""
        import ray

        if not self._head.gone:
            ray.kill(self.actor)

    def close(self) -> None:
        """Ends the actor for good."""
        self.end()

    def load(self, epoch: Epoch, state: bytes) -> None:
        """Sends it a state."""
        self.actor.load.remote(epoch, state)

    def update(self, content: bytes) -> None:
        """Makes it update its state."""
        self.actor.update.remote(content)

    def _wait(self, seconds: float) -> bool:
        """Whether the next answer comes in time; the head of the cluster is looked at now and then."""
        import ray

        while True:
            if ray.wait([self._saying[0][1]], timeout=min(seconds, _SLICE))[0]:
                return True
            self._head.look()
            seconds -= _SLICE
            if seconds <= 0:
                return False
