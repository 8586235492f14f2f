"""Requests and messages come through the wire as they were sent."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nograd.engines.protocol import Answer, Epoch, Message, Request
from nograd.engines.wire import message_from_bytes, message_to_bytes, request_from_bytes, request_to_bytes

numbers = st.integers(-(2**63), 2**63)
epochs = st.builds(Epoch, numbers, numbers, numbers)
shares = st.tuples(numbers, numbers)
requests = st.builds(Request, numbers, st.text(), numbers, shares, st.dictionaries(st.text(), epochs))
values = {"request": numbers, "text": st.text(), "seconds": st.floats(allow_nan=False), "result": st.lists(shares)}


@settings(max_examples=50, deadline=None)
@given(requests)
def test_a_request_comes_through(request: Request) -> None:
    """All of it is equal, and the epochs that it reads are epochs again."""
    arrived = request_from_bytes(request_to_bytes(request))
    assert arrived == request
    assert type(arrived) is Request
    assert all(type(epoch) is Epoch for epoch in arrived.reads.values())


@pytest.mark.parametrize("kind", get_args(Message), ids=lambda kind: kind.__name__)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_kind_of_message_comes_through(kind: type, data: st.DataObject) -> None:
    """A kind of message that the wire does not know fails here."""
    fields = [data.draw(values[name]) for name in kind._fields if name != "size"]  # type: ignore[attr-defined]
    message = kind(*fields)
    content = message_to_bytes(message)
    arrived = message_from_bytes(content)
    assert type(arrived) is kind
    assert arrived == (message._replace(size=len(content)) if kind is Answer else message)
