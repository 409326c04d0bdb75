"""The websocket of the Stripe CLI on a port, and what it does with bad input."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import stripe

from fake_stripe import FakeStripe
from fake_stripe.resources.cli_calls import PATH
from fake_stripe.server import Server
from fake_stripe.tests.test_websocket import HANDSHAKE, sent
from fake_stripe.websocket import (
    CLOSE,
    GOING_AWAY,
    NORMAL,
    NOT_TEXT,
    PING,
    POLICY,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    TOO_BIG,
)

FORWARD = "http://127.0.0.1:8000/"


@pytest.fixture
def served() -> Iterator[FakeStripe]:
    fake = FakeStripe()
    server = Server(fake)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    server.shutdown()
    thread.join(5)
    server.server_close()
    fake.close()


class Client:
    """A websocket client that can also break the rules."""

    def __init__(self, fake: FakeStripe, ticket: str, **headers: str) -> None:
        host = urlsplit(fake.base_url)
        self.socket = socket.create_connection((host.hostname or "", host.port or 0), timeout=5)
        self.input = self.socket.makefile("rb")
        lines = {**HANDSHAKE, "websocket-id": ticket, "host": host.netloc, **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.socket.sendall(f"GET {PATH}?websocket_feature=webhooks HTTP/1.1\r\n{head}\r\n".encode())
        self.status = int(self.input.readline().split()[1])
        self.headers = dict(self._header_lines())

    def _header_lines(self) -> Iterator[tuple[str, str]]:
        while line := self.input.readline().decode().strip():
            name, _, value = line.partition(": ")
            yield name.lower(), value

    def body(self) -> Any:
        return json.loads(self.input.read(int(self.headers["content-length"])))

    def send(self, opcode: int, content: bytes, **options: Any) -> None:
        self.socket.sendall(sent(opcode, content, **options))

    def send_json(self, **message: str) -> None:
        self.send(TEXT, json.dumps(message).encode())

    def receive(self) -> tuple[int, bytes]:
        """The next frame: opcode and content."""
        first, size = self.input.read(2)
        if size >= 126:
            size = int.from_bytes(self.input.read(2 if size == 126 else 8), "big")
        return first & 0x0F, self.input.read(size)

    def message(self) -> Any:
        opcode, content = self.receive()
        assert opcode == TEXT
        return json.loads(content)

    def closed(self) -> tuple[int, str]:
        """The code and reason of the close frame, which is followed by the end."""
        opcode, content = self.receive()
        while opcode == PING:
            opcode, content = self.receive()
        assert opcode == CLOSE
        assert self.input.read() == b""
        return int.from_bytes(content[:2], "big"), content[2:].decode()


def open_session(fake: FakeStripe, feature: str = "webhooks", **form: str) -> Any:
    given = {"websocket_features[]": feature, "device_name": "laptop", **form}
    status, answer = fake.call("POST", "/v1/stripecli/sessions", urlencode(given))
    assert status == 200
    return answer


@pytest.fixture
def connect(served: FakeStripe) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def connect(feature: str = "webhooks", **form: str) -> Client:
        client = Client(served, open_session(served, feature, **form)["websocket_id"])
        assert client.status == 101
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.input.close()
        client.socket.close()


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def kept(fake: FakeStripe) -> int:
    return len(fake.account.store.table("kept_event").rows)


def test_an_event_is_signed_and_kept_until_it_is_answered(
    served: FakeStripe, connect: Callable[..., Client]
) -> None:
    client = connect(forward_to_url=FORWARD)
    served.call("POST", "/v1/products", "name=A")

    message = client.message()
    secret = open_session(served, forward_to_url=FORWARD)["secret"]
    event = stripe.Webhook.construct_event(
        message["event_payload"].encode(), message["http_headers"]["Stripe-Signature"], secret
    )
    assert (message["type"], message["endpoint"]) == ("webhook_event", {"api_version": None})
    client.send_json(type="event_ack", event_id=event.id)
    client.send_json(type="webhook_response", notification_id=event.id)

    assert until(lambda: kept(served) == 0)


def test_an_acknowledgement_is_enough_for_a_client_that_only_prints(
    served: FakeStripe, connect: Callable[..., Client]
) -> None:
    client = connect()
    served.call("POST", "/v1/products", "name=A")

    client.send_json(type="event_ack", event_id=json.loads(client.message()["event_payload"])["id"])

    assert until(lambda: kept(served) == 0)


def test_an_answer_may_name_the_conversation_instead_of_the_event(
    served: FakeStripe, connect: Callable[..., Client]
) -> None:
    """As @stripe/sync-engine does, which sends the webhook's id as `event_id` and `notification_id`."""
    client = connect(forward_to_url=FORWARD)
    served.call("POST", "/v1/products", "name=A")
    message = client.message()
    ids = {name: message[name] for name in ("webhook_id", "webhook_conversation_id")}

    client.send_json(type="event_ack", event_id=message["webhook_id"], **ids)
    client.send_json(type="webhook_response", notification_id=message["webhook_id"], **ids)

    assert until(lambda: kept(served) == 0)


def test_a_ping_is_answered_and_a_close_is_returned(connect: Callable[..., Client]) -> None:
    client = connect()
    client.send(PING, b"still there")
    assert client.receive() == (PONG, b"still there")
    client.send(CLOSE, NORMAL.to_bytes(2, "big") + b"bye")

    assert client.closed() == (NORMAL, "")


@pytest.mark.parametrize("ticket", ["", "wsid_wrong", "ü"])
def test_a_wrong_ticket_is_refused(served: FakeStripe, ticket: str) -> None:
    open_session(served)

    client = Client(served, ticket)

    assert client.status == 401
    assert client.body()["error"]["message"] == "Unknown WebSocket ID."


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-websocket-protocol": "chat"}, 400),
        ({"sec-websocket-version": "8"}, 426),
        ({"sec-websocket-key": "a"}, 400),
        ({"upgrade": "h2c"}, 426),
    ],
)
def test_another_handshake_is_refused(served: FakeStripe, headers: dict[str, str], status: int) -> None:
    client = Client(served, open_session(served)["websocket_id"], **headers)

    assert (client.status, client.headers["connection"]) == (status, "close")
    assert client.body()["error"]["message"]


def test_a_plain_request_for_the_websocket_is_refused(served: FakeStripe) -> None:
    client = Client(served, open_session(served)["websocket_id"], connection="close")

    assert (client.status, client.headers["sec-websocket-version"]) == (426, "13")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (sent(TEXT, b"{}", masked=False), PROTOCOL_ERROR),
        (sent(TEXT, b"a" * 1_000_001), TOO_BIG),
        (sent(TEXT, b"a" * 600_000, final=False) + sent(0, b"a" * 600_000), TOO_BIG),
        (sent(2, b"a"), NOT_TEXT),
        (sent(0xB, b"a"), PROTOCOL_ERROR),
    ],
    ids=["unmasked", "too large", "too many fragments", "binary", "unknown opcode"],
)
def test_a_broken_frame_ends_the_connection_with_a_reason(
    served: FakeStripe, connect: Callable[..., Client], data: bytes, code: int
) -> None:
    client = connect()
    client.socket.sendall(data)

    answered, reason = client.closed()

    assert (answered, bool(reason)) == (code, True)
    assert served.call("GET", "/v1/products")[0] == 200


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"type":5}', '{"type":"event_ack"}', "[" * 100_000])
def test_messages_that_mean_nothing_are_ignored(connect: Callable[..., Client], text: str) -> None:
    client = connect()
    client.send(TEXT, text.encode())
    client.send(PING, b"1")

    assert client.receive() == (PONG, b"1")


def test_a_client_that_never_acknowledges_is_closed_and_the_event_stays(
    served: FakeStripe, connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_stripe.listeners.ACK_TIME", 0.05)
    client = connect(forward_to_url=FORWARD)
    for n in range(100):
        served.call("POST", "/v1/products", f"name={n}")

    messages = 0
    while (frame := client.receive())[0] == TEXT:
        messages += 1

    assert messages <= 32
    assert int.from_bytes(frame[1][:2], "big") == POLICY
    assert b"not acknowledged" in frame[1]
    assert kept(served) == 100


def test_a_client_that_does_not_read_is_given_up(
    served: FakeStripe, connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection takes as much as fits into the buffers of the system; the rest stays where it is kept."""
    monkeypatch.setattr("fake_stripe.cli_socket.SILENCE", 0.2)
    connect("request_logs")
    connect(forward_to_url=FORWARD)
    assert len(served.account.listeners.closers) == 2
    metadata = "&".join(f"metadata[{n}]={'a' * 500}" for n in range(50))

    def gone() -> bool:
        served.call("POST", "/v1/products", f"name=A&{metadata}")
        return served.account.listeners.closers == []

    assert until(gone)
    assert kept(served) == len(served.events)


def test_a_silent_client_is_asked_and_then_given_up(
    connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_stripe.cli_socket.SILENCE", 0.05)
    client = connect()

    assert client.receive() == (PING, b"")
    assert client.closed()[0] == POLICY


def test_a_client_that_is_cut_off_gets_everything_again(
    served: FakeStripe, connect: Callable[..., Client]
) -> None:
    client = connect(forward_to_url=FORWARD)
    served.call("POST", "/v1/products", "name=A")
    first = client.message()["event_payload"]
    client.input.close()
    client.socket.close()

    assert connect(forward_to_url=FORWARD).message()["event_payload"] == first


def test_the_fake_says_goodbye(served: FakeStripe, connect: Callable[..., Client]) -> None:
    client = connect()
    served.account.listeners.close()

    assert client.closed() == (GOING_AWAY, "The fake is stopping.")


def test_logs_pass_the_filters(served: FakeStripe, connect: Callable[..., Client]) -> None:
    client = connect("request_logs", filters=json.dumps({"filter_status_code_type": ["400"]}))
    served.call("GET", "/v1/products")
    served.call("GET", "/v1/products/prod_nothing")

    message = client.message()
    logged = json.loads(message["event_payload"])

    assert message["type"] == "request_log_event"
    assert (logged["method"], logged["url"], logged["status"]) == ("GET", "/v1/products/prod_nothing", 404)
    assert logged["error"]["code"] == "resource_missing"
