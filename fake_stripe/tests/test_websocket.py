"""The websocket protocol without a network: frames, fragments, close codes, limits."""

import pytest

from fake_stripe import websocket
from fake_stripe.websocket import CLOSE, CONTINUATION, PING, TEXT, Failed, Frame, HandshakeRefused, Parser

SUBPROTOCOL = "stripecli-devproxy-v1"
HANDSHAKE = {
    "upgrade": "websocket",
    "connection": "keep-alive, Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": f"other, {SUBPROTOCOL}",
}


def sent(opcode: int, content: bytes, *, final: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """A frame as a client sends it."""
    head = bytes([(0x80 if final else 0) | reserved | opcode])
    bit, size = 0x80 if masked else 0, len(content)
    if size <= 125:
        head += bytes([bit | size])
    elif size < 2**16:
        head += bytes([bit | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + size.to_bytes(8, "big")
    if not masked:
        return head + content
    mask = b"\x37\xfa\x21\x3d"
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(content))


def test_the_handshake_of_the_rfc() -> None:
    assert websocket.accept(HANDSHAKE, SUBPROTOCOL) == {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Protocol": SUBPROTOCOL,
    }


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"upgrade": "h2c"}, 426, "websocket requests"),
        ({"connection": "close"}, 426, "websocket requests"),
        ({"sec-websocket-version": "8"}, 426, "version"),
        ({"sec-websocket-key": "short"}, 400, "Key"),
        ({"sec-websocket-key": "ä"}, 400, "Key"),
        ({"sec-websocket-protocol": "chat"}, 400, SUBPROTOCOL),
    ],
)
def test_another_handshake_is_refused(changed: dict[str, str], status: int, words: str) -> None:
    with pytest.raises(HandshakeRefused, match=words) as refused:
        websocket.accept(HANDSHAKE | changed, SUBPROTOCOL)

    assert refused.value.status == status


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 300_000])
def test_a_message_of_any_size_arrives_in_any_pieces(size: int) -> None:
    content = (b"0123456789" * (size // 10 + 1))[:size]
    data = sent(TEXT, content)
    parser, whole = Parser(), Parser()

    pieces = [found for at in range(0, len(data), 1000) for found in parser.feed(data[at : at + 1000])]

    assert pieces == list(whole.feed(data)) == [Frame(TEXT, content)]


def test_fragments_are_put_together_and_a_ping_may_come_between_them() -> None:
    data = (
        sent(TEXT, "grü".encode()[:3], final=False)
        + sent(PING, b"1")
        + sent(CONTINUATION, "grü".encode()[3:], final=False)
        + sent(CONTINUATION, b"n")
    )

    assert list(Parser().feed(data)) == [Frame(PING, b"1"), Frame(TEXT, "grün".encode())]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (sent(TEXT, b"a", masked=False), websocket.PROTOCOL_ERROR),
        (sent(TEXT, b"a", reserved=0x40), websocket.PROTOCOL_ERROR),
        (sent(0x3, b"a"), websocket.PROTOCOL_ERROR),
        (sent(CONTINUATION, b"a"), websocket.PROTOCOL_ERROR),
        (sent(TEXT, b"a", final=False) + sent(TEXT, b"b"), websocket.PROTOCOL_ERROR),
        (sent(PING, b"a" * 126), websocket.PROTOCOL_ERROR),
        (sent(PING, b"a", final=False), websocket.PROTOCOL_ERROR),
        (sent(CLOSE, b"\x03"), websocket.PROTOCOL_ERROR),
        (sent(CLOSE, (1005).to_bytes(2, "big")), websocket.PROTOCOL_ERROR),
        (sent(CLOSE, (1000).to_bytes(2, "big") + b"\xff"), websocket.BAD_TEXT),
        (sent(0x2, b"a"), websocket.NOT_TEXT),
        (sent(TEXT, b"\xff"), websocket.BAD_TEXT),
    ],
)
def test_a_broken_frame_has_its_close_code(data: bytes, code: int) -> None:
    with pytest.raises(Failed) as failed:
        list(Parser().feed(data))

    assert failed.value.code == code
    assert failed.value.reason


def test_a_message_that_is_too_large_is_refused_before_it_arrives() -> None:
    head = sent(TEXT, b"a" * 70_000)[:14]
    fragments = sent(TEXT, b"a" * 600, final=False) + sent(CONTINUATION, b"a" * 600)

    for data in (head, fragments):
        parser = Parser(max_message=1000)
        with pytest.raises(Failed) as failed:
            list(parser.feed(data))
        assert failed.value.code == websocket.TOO_BIG


def test_a_close_frame_has_a_code_and_a_reason_that_fits() -> None:
    assert websocket.close_frame(1001, "bye") == b"\x88\x05\x03\xe9bye"
    assert len(websocket.close_frame(1001, "ü" * 200)) <= 127
    assert Frame(CLOSE, b"\x03\xe9").close_code == 1001
    assert Frame(CLOSE, b"").close_code == 1005
    assert websocket.frame(TEXT, b"a" * 70_000)[:10] == b"\x81\x7f" + (70_000).to_bytes(8, "big")
