"""What a process and its worker processes say to each other, as bytes.

Tuples of numbers and texts, by `marshal`: a phase waits for its bytes, and to pickle the classes takes four times as
long. Nothing is kept, and both ends run the same Python.
"""

import marshal

from nograd.engines.protocol import Alive, Answer, Epoch, Failed, Message, Ready, Refused, Request

SETUP = b""  # what a worker is sent before what it is set up with, which is no request
_KINDS: tuple[type[Message], ...] = (Ready, Alive, Answer, Failed, Refused)  # by the number that stands for each


def request_to_bytes(request: Request) -> bytes:
    """A request of a driver."""
    reads = {name: tuple(epoch) for name, epoch in request.reads.items()}
    return marshal.dumps((request.id, request.kind, request.generation, request.share, reads))


def request_from_bytes(content: bytes) -> Request:
    """What `request_to_bytes` was given."""
    number, kind, generation, share, reads = marshal.loads(content)
    return Request(number, kind, generation, share, {name: Epoch(*epoch) for name, epoch in reads.items()})


def message_to_bytes(message: Message) -> bytes:
    """What a worker says; the result of an answer is made of numbers, texts, lists and tuples."""
    return marshal.dumps((_KINDS.index(type(message)), *message))


def message_from_bytes(content: bytes) -> Message:
    """What `message_to_bytes` was given; an answer knows how many bytes it came in."""
    number, *fields = marshal.loads(content)
    message = _KINDS[number](*fields)
    return message._replace(size=len(content)) if isinstance(message, Answer) else message
