"""Frames are read by the rules (RFC 6455, sections 5 to 8), however the stream was cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from realtime.client_frames import client_frame

from nova_tornado.realtime.frame_reader import (
    BINARY,
    CLOSE,
    CLOSE_NOT_UTF8,
    CLOSE_PROTOCOL_ERROR,
    CLOSE_TOO_BIG,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    BadFrame,
    FrameReader,
)

MAX_BYTES = 70_000
EXAMPLES = examples(max_examples=150, deadline=None, derandomize=True, database=None)


def read(*pieces):
    """What comes out, and the code of the error that ends it."""
    reader, frames = FrameReader(MAX_BYTES), []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (frame := reader.next_frame()) is not None:
                frames.append(tuple(frame))
    except BadFrame as error:
        return frames, error.code
    return frames, None


def cut(stream, places):
    places = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in pairwise(places)]


SIZES = st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, MAX_BYTES]) | st.integers(0, 300)
ANY_FRAME = st.builds(
    client_frame,
    st.sampled_from([CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG, 3, 7, 11, 15]),
    st.binary(max_size=130) | st.text(max_size=60).map(str.encode) | SIZES.map(lambda size: b"a" * size),
    is_final=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 0, 0, 0, 1, 4]),
    is_masked=st.sampled_from([True, True, True, True, True, False]),
)


@EXAMPLES
@given(st.lists(ANY_FRAME | st.binary(max_size=20), max_size=6), st.lists(st.integers(0, 2**20), max_size=12))
def test_the_cuts_of_a_stream_change_nothing(parts, places):
    stream = b"".join(parts)
    assert read(*cut(stream, places)) == read(stream)


@EXAMPLES
@given(st.lists(ANY_FRAME, max_size=3).map(b"".join).filter(lambda stream: len(stream) < 1_000))
def test_a_stream_may_come_byte_by_byte(stream):
    assert read(*(bytes((byte,)) for byte in stream)) == read(stream)


MESSAGES = st.lists(
    st.tuples(st.just(TEXT), st.text(max_size=300) | SIZES.map(lambda size: "x" * size))
    | st.tuples(st.just(BINARY), st.binary(max_size=300)),
    max_size=5,
)


@EXAMPLES
@given(MESSAGES, st.data())
def test_messages_come_out_whole_in_however_many_fragments_and_with_pings_between(messages, data):
    stream, expected = b"", []
    for opcode, message in messages:
        raw = message.encode() if opcode == TEXT else message
        fragments = cut(raw, data.draw(st.lists(st.integers(0, 2**20), max_size=4))) or [b""]
        if data.draw(st.booleans()):
            fragments.insert(0, b"")
        for index, fragment in enumerate(fragments):
            is_last = index == len(fragments) - 1
            stream += client_frame(CONTINUATION if index else opcode, fragment, is_final=is_last)
            if not is_last and data.draw(st.booleans()):
                stream += client_frame(PING, b"%d" % index)
                expected.append((PING, b"%d" % index))
        expected.append((opcode, message))
    assert read(stream) == (expected, None)


HELLO = client_frame(TEXT, b"hello")


@pytest.mark.parametrize(
    ("code", "stream"),
    [
        *((CLOSE_PROTOCOL_ERROR, client_frame(TEXT, b"x", reserved=bits)) for bits in range(1, 8)),
        *((CLOSE_PROTOCOL_ERROR, client_frame(PING, b"x", reserved=bits)) for bits in range(1, 8)),
        *((CLOSE_PROTOCOL_ERROR, client_frame(opcode, b"x")) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        (CLOSE_PROTOCOL_ERROR, client_frame(TEXT, b"x", is_masked=False)),
        (CLOSE_PROTOCOL_ERROR, client_frame(PING, b"x", is_masked=False)),
        (CLOSE_PROTOCOL_ERROR, client_frame(CONTINUATION, b"x")),
        (CLOSE_PROTOCOL_ERROR, client_frame(CONTINUATION, b"x", is_final=False)),
        (CLOSE_PROTOCOL_ERROR, client_frame(TEXT, b"x", is_final=False) + HELLO),
        (CLOSE_PROTOCOL_ERROR, client_frame(BINARY, b"", is_final=False) + client_frame(BINARY, b"")),
        *((CLOSE_PROTOCOL_ERROR, client_frame(opcode, b"x", is_final=False)) for opcode in (CLOSE, PING, PONG)),
        *((CLOSE_PROTOCOL_ERROR, client_frame(opcode, b"x" * 126)) for opcode in (CLOSE, PING, PONG)),
        *((CLOSE_PROTOCOL_ERROR, client_frame(opcode, b"x" * 65_536)) for opcode in (PING, PONG)),
        (CLOSE_PROTOCOL_ERROR, client_frame(CLOSE, b"\x03")),
        *(
            (CLOSE_PROTOCOL_ERROR, client_frame(CLOSE, code.to_bytes(2, "big") + b"why"))
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)
        ),
        (CLOSE_NOT_UTF8, client_frame(CLOSE, b"\x03\xe8\xff")),
        *(
            (CLOSE_NOT_UTF8, client_frame(TEXT, text))
            for text in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"ok\xce\xba\xe1\xbd")
        ),
        # A fragment that no rest can make good ends it at once.
        (CLOSE_NOT_UTF8, client_frame(TEXT, b"\xce\xba\xf4\x90", is_final=False)),
        (CLOSE_NOT_UTF8, client_frame(TEXT, b"\xce", is_final=False) + client_frame(CONTINUATION, b"")),
        (CLOSE_TOO_BIG, client_frame(TEXT, b"", size=MAX_BYTES + 1)),
        (CLOSE_TOO_BIG, client_frame(BINARY, b"", size=2**63 - 1)),
        (CLOSE_TOO_BIG, client_frame(BINARY, b"", size=2**64 - 1)),
        (CLOSE_TOO_BIG, client_frame(TEXT, b"x", is_final=False) + client_frame(CONTINUATION, b"", size=MAX_BYTES)),
    ],
)
def test_what_is_against_the_rules_ends_the_stream_with_its_code(code, stream):
    assert read(HELLO + stream) == ([(TEXT, "hello")], code)


def test_control_frames_come_out_with_what_is_in_them():
    for opcode in (PING, PONG):
        for payload in (b"", b"\xff\xfe", b"x" * 125):
            assert read(client_frame(opcode, payload)) == ([(opcode, payload)], None)
    for code in (1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999):
        for reason in (b"", "é".encode(), b"x" * 123):
            payload = code.to_bytes(2, "big") + reason
            assert read(client_frame(CLOSE, payload)) == ([(CLOSE, payload)], None)
    assert read(client_frame(CLOSE)) == ([(CLOSE, b"")], None)


def test_endless_fragments_without_a_byte_take_no_memory():
    reader = FrameReader(MAX_BYTES)
    reader.feed(client_frame(TEXT, b"x", is_final=False) + client_frame(CONTINUATION, b"", is_final=False) * 10_000)
    assert reader.next_frame() is None
    assert len(reader._parts) == 1 and not reader._buffer


def test_nothing_is_kept_while_nothing_is_under_way():
    reader = FrameReader(MAX_BYTES)
    for stream in (HELLO, client_frame(TEXT, b"a", is_final=False) + client_frame(CONTINUATION, b"b")):
        reader.feed(stream[:3])
        assert reader.next_frame() is None
        reader.feed(stream[3:])
        assert reader.next_frame() is not None and reader.next_frame() is None
        assert not reader._buffer and reader._parts is None and reader._decoder is None
