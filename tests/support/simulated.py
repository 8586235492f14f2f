"""Workers of a simulated training: the real driver, worker and programs, with every event drawn from a seed.

One process, one thread and a clock that only a look at a worker moves. At each look is drawn whether the worker has
started, dies (while it starts, when it is asked, within its share or after it), is silent, comes late, answers twice or
to an earlier request. Whatever it is that a program is called with is compared with what the inline engine had.
"""

import pickle

import numpy as np
from fate import Interrupted, Killed

from nograd.engines.protocol import Alive, Answer, LostError, Ready
from nograd.engines.ray_handle import Replica
from nograd.engines.server import Held, Server, copied
from nograd.engines.shared_memory import Block, left_by
from nograd.engines.wire import message_from_bytes, message_to_bytes, request_from_bytes, request_to_bytes


class Simulated:
    """A channel whose worker lives in this process; what it is asked it does when it is looked at."""

    can_die = True

    def __init__(self, number, case, fate, watch):
        self.number, self.case, self.fate, self.watch = number, case, fate, watch
        self._deaths, self._dying = 0, None  # as the driver counts them, in a row; when within its share it will die
        self.disturbed = False
        self._begin()

    # The channel ------------------------------------------------------------------------------------------

    def start(self):
        self.say("is started again")
        self._deaths += 1
        self._begin()

    def is_placed(self):
        return self._unplaced <= 0

    def send(self, request):
        self.say(f"is asked to {request.kind} {request.share}")
        self._asked.append((request, self.watch.line))  # that it belongs to, also where it is done late
        if self._may_die():
            self._die("before its share")
        return 1

    def receive(self, seconds):
        self.fate.now += 0.01
        if not self._started:
            return self._starting(seconds)
        if self._dead:
            raise LostError(self._dead)
        if self._early:
            self.say("gives an answer that it has given before")
            return self._early.pop()
        return self._at_work(seconds) if self._asked else self._nothing(seconds)

    def _at_work(self, seconds):
        """What it gives while it is asked for something: its answer at last."""
        fate = self.fate
        if fate.happens(0.3):
            self.say("lets the driver be interrupted")
            raise Interrupted
        if np.isfinite(seconds) and self._deaths < 2 and (self._silent or fate.happens()):
            self._silent = self._silent or fate.happens()
            self.say("is silent" if self._silent else "is late")
            return self._nothing(seconds)
        if fate.happens(0.5):
            return Alive()
        if self._given and fate.happens(0.5):
            self._early.append(fate.draw(self._given))
        if self._early:
            return self.receive(seconds)
        return self._answered(*self._asked.pop(0))

    def end(self):
        self._dead = self._dead or "was ended"

    def close(self):
        self.end()

    # What happens to it -----------------------------------------------------------------------------------

    def say(self, what):
        self.fate.note(f"worker {self.number} {what}")

    def _begin(self):
        self._dead, self._silent = None, False
        self._asked, self._given, self._early = [], [], []
        self._starts()
        self.made()

    def _starts(self):
        fate, self._started = self.fate, False
        may_fail = self._deaths < 2  # three times in a row are an error
        self._looks = fate.below(1 + fate.draw([1, 3, 10, 30])) if may_fail else 0  # until it has started
        self._unplaced = fate.below(1 + fate.draw([1, 1, 8]))  # looks until it has a place to start at
        self._hangs = self.can_die and may_fail and fate.happens(0.3)

    def _starting(self, seconds):
        if self._may_die():
            self._die("while it starts")
            raise LostError(self._dead)
        self._unplaced -= 1
        if self._unplaced >= 0 or self._hangs:
            self.fate.now += 10.0 * self._hangs
            return self._nothing(seconds)
        self._looks -= 1
        if self._looks >= 0:
            return self.fate.draw([Alive(), self._nothing(seconds)])
        self._started = True
        self.say("has started")
        return Ready()

    def _nothing(self, seconds):
        self.fate.now += seconds if np.isfinite(seconds) else 1.0
        return None

    def _may_die(self):
        return self.can_die and self._deaths < 2 and self.fate.happens(0.5)

    def _die(self, when):
        self._dead = "was ended by SIGKILL"
        self.say(f"dies {when}")

    def _within(self):
        if self._dying is not None:
            self._dying -= 1
            if self._dying < 0:
                raise Killed

    def _answered(self, request, line):
        self._dying = self.fate.below(3) if self._may_die() else None
        now, self.watch.line, self.watch.exempt = self.watch.line, line, self.disturbed
        try:
            answer = self.served(request)
        except Killed:
            self._die("within its share")
            raise LostError(self._dead) from None
        finally:
            self.watch.line, self.watch.exempt = now, False
            dying, self._dying = self._dying, None
        if dying is not None:
            self._die("after its share")
            raise LostError(self._dead)
        self.say(f"answers for {request.share}: {type(answer).__name__}")
        if isinstance(answer, Answer):
            self._deaths = 0
            answer = answer._replace(seconds=0.001 * self.fate.below(5))
            self._given = [*self._given[-3:], answer]
        if self.fate.happens(0.5):
            self._early.append(answer)  # twice
        return answer

    def made(self):
        """Makes what a worker that has just been started consists of."""

    def served(self, request):
        raise NotImplementedError


class Memory(Simulated):
    """A worker that maps the shared memory, as a process does."""

    plan = None

    def setup(self, message, file):
        self.plan, _, _, self._chunks, number = message
        self._file = file
        assert number == self.number
        self.made()
        if self._started:
            self.say("is set up again")
            self._starts()

    def made(self):
        if self.plan is not None:
            block, case = Block(self.plan, self._file), self.case
            calls = self.watch.programs(case.here.worker._programs, self._within)
            self._server = Server(calls, case.here.sent().fixed, self._chunks, block, left_by(block, self.number))

    def served(self, request):
        answer = self._server.serve(request_from_bytes(request_to_bytes(request)))
        return message_from_bytes(message_to_bytes(answer))


class Copies(Simulated):
    """A worker of this process with copies of its own, as a device is. It does not die."""

    can_die, name = False, "device"

    def made(self):
        self._held, case = Held(), self.case
        calls = self.watch.programs(case.here.calls, self._within)
        self._server = Server(calls, case.here.fixed, case.chunks, self._held, copied)

    def is_placed(self):
        return False

    def publish(self, name, epoch, arrays):
        self._held.put(name, epoch, [np.array(array) for array in arrays])
        return 1

    def served(self, request):
        return self._server.serve(request)


class Replicated(Simulated):
    """An actor of a cluster. Its calls are done in their order, at the latest when an answer is waited for."""

    def made(self):
        self._replica, self._published, case = Replica(), {}, self.case
        self.disturbed = False
        calls = self.watch.programs(case.here.calls, self._within)
        self._replica.hold(calls, case.here.fixed, case.chunks, case.width)

    def publish(self, name, epoch, reference):
        self._published[name] = epoch, reference

    def load(self, epoch, state):
        self.say("is sent the state")
        self.disturbed = False
        self._replica.load(epoch, state)
        if self.fate.happens(0.5):
            self._disturb()

    def update(self, content):
        self._call(lambda: self._replica.update(content))

    def send(self, request):
        references = [self._published[name][1] for name in request.reads if name in self._published]
        self._with = references
        return super().send(request)

    def served(self, request):
        answer = pickle.loads(self._replica.serve(pickle.dumps(request), *self._with))
        if self.disturbed and isinstance(answer, Answer):
            self.fate.disturbed += 1  # the driver will notice
        return answer

    def _call(self, call):
        self.watch.exempt = self.disturbed
        try:
            call()
        finally:
            self.watch.exempt = False

    def _disturb(self):
        """Its parameters are others, as on other hardware: those of one array, or of all."""
        state = [np.array(leaf) for leaf in self._replica._held.arrays("state")]
        one = self.fate.below(2 * self.case.width)
        for leaf in state[: self.case.width] if one >= self.case.width else [state[one]]:
            leaf += np.asarray(0.125, leaf.dtype)
        self._replica._held.put("state", self._replica._held.epochs()["state"], state)
        self.disturbed = True
        self.say("has other parameters")
