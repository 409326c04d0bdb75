"""The server's side of the websocket protocol, without input or output.

RFC 6455: https://www.rfc-editor.org/rfc/rfc6455. Only what a peer of the Stripe CLI needs: text messages, no extensions.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FINAL, RESERVED, OPCODE, MASKED, LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F
MAX_CONTROL = 125
MAX_MESSAGE = 1_000_000

# https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
NORMAL, GOING_AWAY, PROTOCOL_ERROR, NOT_TEXT, NO_STATUS = 1000, 1001, 1002, 1003, 1005
BAD_TEXT, POLICY, TOO_BIG = 1007, 1008, 1009


class HandshakeRefused(ValueError):
    """The opening request is not acceptable. `status` is that of the HTTP answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message, self.status = message, status


class Failed(Exception):
    """The peer broke the protocol: close the connection with `code` and `reason`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class Frame:
    """A complete text message or a control frame. The content of a text message is valid UTF-8."""

    opcode: int
    content: bytes

    @property
    def close_code(self) -> int:
        """The code of a close frame; 1005 if it names none."""
        return int.from_bytes(self.content[:2], "big") if self.content else NO_STATUS


def accept(headers: Mapping[str, str], subprotocol: str) -> dict[str, str]:
    """The headers of the 101 answer to an opening request. `headers` have lower-case names.

    A client that offers subprotocols must offer `subprotocol`. Raises HandshakeRefused.
    """
    connection = [part.strip().lower() for part in headers.get("connection", "").split(",")]
    if headers.get("upgrade", "").strip().lower() != "websocket" or "upgrade" not in connection:
        raise HandshakeRefused("This address answers websocket requests only.", 426)
    if headers.get("sec-websocket-version", "").strip() != "13":
        raise HandshakeRefused("The websocket version must be 13.", 426)
    key = headers.get("sec-websocket-key", "").strip()
    if not _is_key(key):
        raise HandshakeRefused("Sec-WebSocket-Key must be 16 bytes in base64.")
    answer = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode(),  # noqa: S324
    }
    offered = [part.strip() for part in headers.get("sec-websocket-protocol", "").split(",") if part.strip()]
    if offered:
        if subprotocol not in offered:
            raise HandshakeRefused(f"The websocket subprotocol must be {subprotocol}.")
        answer["Sec-WebSocket-Protocol"] = subprotocol
    return answer


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def frame(opcode: int, content: bytes) -> bytes:
    """A frame from the server: final and unmasked."""
    size = len(content)
    if size <= MAX_CONTROL:
        length = bytes([size])
    elif size < 2**16:
        length = bytes([126]) + size.to_bytes(2, "big")
    else:
        length = bytes([127]) + size.to_bytes(8, "big")
    return bytes([FINAL | opcode]) + length + content


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame. A reason that does not fit is shortened."""
    shown = reason.encode()[: MAX_CONTROL - 2].decode("utf-8", "ignore").encode()
    return frame(CLOSE, code.to_bytes(2, "big") + shown)


@dataclass
class Parser:
    """Parses what a client sends. Holds at most one message, of `max_message` bytes, and one frame's head."""

    max_message: int = MAX_MESSAGE
    _unread: bytearray = field(default_factory=bytearray)
    _message: bytearray | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the control frames and complete messages in `data` and what came before. Raises Failed."""
        self._unread += data
        while (parsed := self._next()) is not None:
            opcode, final, content = parsed
            if opcode >= CLOSE:
                yield self._control(opcode, content)
            elif (message := self._assemble(opcode, final, content)) is not None:
                yield message

    def _next(self) -> tuple[int, bool, bytes] | None:
        """The next frame as (opcode, final, unmasked content); None if it is not complete yet."""
        unread = self._unread
        if len(unread) < 2:
            return None
        opcode, final = unread[0] & OPCODE, bool(unread[0] & FINAL)
        self._check_head(opcode, final, unread[0], unread[1])
        extra = {126: 2, 127: 8}.get(unread[1] & LENGTH, 0)
        start = 2 + extra + 4
        if len(unread) < 2 + extra:
            return None
        size = int.from_bytes(unread[2 : 2 + extra], "big") if extra else unread[1] & LENGTH
        # Checked before the content arrives, so that nothing larger is ever stored.
        if size + len(self._message or b"") > self.max_message:
            raise Failed(TOO_BIG, f"A message may have at most {self.max_message} bytes.")
        if len(unread) < start + size:
            return None
        content = _unmask(bytes(unread[start : start + size]), bytes(unread[start - 4 : start]))
        del unread[: start + size]
        return opcode, final, content

    def _check_head(self, opcode: int, final: bool, first: int, second: int) -> None:
        if first & RESERVED:
            raise Failed(PROTOCOL_ERROR, "No extension was agreed on.")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise Failed(PROTOCOL_ERROR, f"Unknown opcode {opcode}.")
        if not second & MASKED:
            raise Failed(PROTOCOL_ERROR, "A client's frames must be masked.")
        if opcode >= CLOSE and (not final or second & LENGTH > MAX_CONTROL):
            raise Failed(PROTOCOL_ERROR, f"A control frame has one part of at most {MAX_CONTROL} bytes.")
        if opcode == BINARY:
            raise Failed(NOT_TEXT, "Only text messages are accepted.")
        if opcode < CLOSE and (opcode == CONTINUATION) != (self._message is not None):
            raise Failed(PROTOCOL_ERROR, "A message must end before the next one begins.")

    def _assemble(self, opcode: int, final: bool, content: bytes) -> Frame | None:
        self._message = (self._message or bytearray()) + content
        if not final:
            return None
        message, self._message = bytes(self._message), None
        _check_text(message)
        return Frame(TEXT, message)

    def _control(self, opcode: int, content: bytes) -> Frame:
        if opcode == CLOSE and content:
            code = int.from_bytes(content[:2], "big")
            if len(content) < 2 or not _may_be_sent(code):
                raise Failed(PROTOCOL_ERROR, "This close code may not be sent.")
            _check_text(content[2:])
        return Frame(opcode, content)


def _unmask(content: bytes, mask: bytes) -> bytes:
    size = len(content)
    repeated = mask * (size // 4 + 1)
    return (int.from_bytes(content, "big") ^ int.from_bytes(repeated[:size], "big")).to_bytes(size, "big")


def _check_text(content: bytes) -> None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        raise Failed(BAD_TEXT, "The text is not valid UTF-8.") from None


def _may_be_sent(code: int) -> bool:
    return 3000 <= code <= 4999 or code in (*range(1000, 1004), *range(1007, 1015))
