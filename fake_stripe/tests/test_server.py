"""The server: keep-alive, cut connections, malformed HTTP and the control endpoints."""

import contextlib
import http.client
import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe

from fake_stripe import FakeStripe
from fake_stripe.api import Request
from fake_stripe.server import Server
from fake_stripe.tests.conftest import open_session

KEY = {"Authorization": "Bearer sk_test_fake"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def served() -> Iterator[FakeStripe]:
    """A fake on a free port, with delivery threads."""
    fake = FakeStripe()
    server = Server(fake)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fake.courier.start()
    yield fake
    server.shutdown()
    thread.join(5)
    server.server_close()
    fake.close()


@pytest.fixture
def remote(served: FakeStripe) -> stripe.StripeClient:
    """The stripe library over HTTP."""
    return stripe.StripeClient("sk_test_fake", base_addresses={"api": served.base_url})


def connection(fake: FakeStripe) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(fake.base_url).netloc, timeout=5)


class Shop:
    """A webhook endpoint on a port, with a given delay and status."""

    def __init__(self, seconds: float = 0.0, status: int = 200) -> None:
        self.got: list[tuple[float, bytes]] = []
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(seconds)
                shop.got.append((time.monotonic(), body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/stripe/webhook/"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]


def test_a_purchase_over_http(served: FakeStripe, remote: stripe.StripeClient) -> None:
    """The payment page answers after the shop has answered the completed event."""
    shop = Shop(seconds=0.2)
    served.add_webhook_endpoint(shop.url)
    product = served.add_product(name="A", prices=[{"unit_amount": 2500}])
    session = open_session(remote, product["default_price"])
    assert session.url.startswith(served.base_url)
    page = connection(served)
    page.request("GET", urlsplit(session.url).path)
    assert page.getresponse().status == 200

    paid = served.pay(session.id)
    (completed,) = [e for e in served.events.values() if e["type"] == "checkout.session.completed"]
    assert served.courier.wait_for(completed["id"], 5)

    assert paid["payment_status"] == "paid"
    assert "checkout.session.completed" in shop.types()
    assert remote.v1.checkout.sessions.retrieve(session.id).status == "complete"
    shop.server.shutdown()


def test_a_connection_is_kept_open_between_calls(served: FakeStripe) -> None:
    http_ = connection(served)
    for _ in range(3):
        http_.request("GET", "/v1/products", headers=KEY)
        answer = http_.getresponse()
        assert (answer.status, answer.version, json.loads(answer.read())["data"]) == (200, 11, [])
    first = http_.sock
    http_.request("POST", "/v1/products", "name=A", {**KEY, **FORM})
    assert http_.getresponse().read()
    assert http_.sock is first


def test_a_cut_connection_has_no_answer(served: FakeStripe, remote: stripe.StripeClient) -> None:
    served.faults.add("cut", when="after", method="POST")

    with pytest.raises(stripe.APIConnectionError):
        remote.v1.products.create({"name": "A"})

    assert len(served.products) == 1


def test_the_stock_library_retries_a_cut_with_the_same_key(served: FakeStripe, monkeypatch: Any) -> None:
    monkeypatch.setattr("stripe._http_client.HTTPClient._sleep_time_seconds", lambda *args: 0)
    patient = stripe.StripeClient(
        "sk_test_fake", base_addresses={"api": served.base_url}, max_network_retries=2
    )
    served.faults.add("cut", when="after", times=2)

    product = patient.v1.products.create({"name": "A"})

    assert list(served.products) == [product.id]
    assert [call.replayed for call in served.calls] == [False, True, True]


@pytest.mark.parametrize(
    ("headers", "body", "status", "words"),
    [
        ({"Content-Length": "many"}, b"", 411, "Content-Length"),
        ({"Transfer-Encoding": "chunked"}, b"5\r\nname=\r\n0\r\n\r\n", 411, "Content-Length"),
        ({"Content-Length": "2000000", **FORM}, b"a" * 2_000_000, 413, "has 2000000 bytes"),
    ],
)
def test_bodies_without_length_or_too_long_are_refused(
    served: FakeStripe, headers: dict[str, str], body: bytes, status: int, words: str
) -> None:
    http_ = connection(served)
    http_.putrequest("POST", "/v1/products")
    for name, value in {**KEY, **headers}.items():
        http_.putheader(name, value)
    http_.endheaders()
    with contextlib.suppress(ConnectionError):  # the server may refuse before it has read everything
        http_.send(body)

    answer = http_.getresponse()
    assert answer.status == status
    assert words in json.loads(answer.read())["error"]["message"]
    assert len(served.products) == 0


@pytest.mark.parametrize(
    ("first_line", "headers", "status"),
    [
        (f"GET /v1/products?{'a' * 66_000} HTTP/1.1", "", 414),
        ("GET /v1/products HTTP/1.1", f"X-Long: {'a' * 66_000}\r\n", 431),
        ("GET /v1/products HTTP/1.1", "X-Many: 1\r\n" * 200, 431),
        ("GET /v1/products HTTP/2.0", "", 505),
        ("GET /v1/products of mine HTTP/1.1", "", 400),
    ],
)
def test_malformed_http_gets_the_apis_error_object(
    served: FakeStripe, first_line: str, headers: str, status: int
) -> None:
    assert refusal(served, f"{first_line}\r\n{headers}\r\n") == (status, "invalid_request_error")


def refusal(fake: FakeStripe, sent: str) -> tuple[int, str]:
    """Send raw bytes; returns the status and the type of the error."""
    address = urlsplit(fake.base_url)
    with socket.create_connection((address.hostname, address.port), 5) as there:
        there.sendall(sent.encode())
        answer = http.client.HTTPResponse(there)
        answer.begin()
        assert answer.headers["Request-Id"].startswith("req_")
        return answer.status, json.loads(answer.read())["error"]["type"]


def test_an_absolute_url_is_accepted(served: FakeStripe) -> None:
    http_ = connection(served)
    for path in ("/v1/products", "/dashboard", "?x=1", ""):
        http_.request("GET", served.base_url + path, headers=KEY)
        answer = http_.getresponse()
        answer.read()
        assert answer.status == (303 if path in ("", "?x=1") else 200)


def test_an_unknown_page_is_a_404_and_a_wrong_method_a_405(served: FakeStripe) -> None:
    http_ = connection(served)
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("PUT", "/_faults", 405),
        ("GET", "/_nothing", 404),
        ("BREW", "/dashboard", 405),
        ("BREW", "/v1/products", 401),
    ):
        http_.request(method, path)
        answer = http_.getresponse()
        answer.read()
        assert answer.status == status


def control(fake: FakeStripe, method: str, path: str, content: Any = None) -> tuple[int, Any]:
    http_ = connection(fake)
    http_.request(method, path, None if content is None else json.dumps(content))
    answer = http_.getresponse()
    return answer.status, json.loads(answer.read())


def test_another_process_can_add_faults(served: FakeStripe, remote: stripe.StripeClient) -> None:
    status, created = control(
        served, "POST", "/_faults", {"kind": "error_500", "path": "/v1/products", "times": 1}
    )
    assert status == 201
    assert control(served, "GET", "/_faults")[1]["faults"][0]["kind"] == "error_500"

    with pytest.raises(stripe.APIError):
        remote.v1.products.create({"name": "A"})
    assert control(served, "DELETE", f"/_faults/{created['id']}") == (200, {"removed": True})
    assert control(served, "DELETE", f"/_faults/{created['id']}") == (404, {"removed": False})
    assert control(served, "DELETE", "/_faults") == (200, {"faults": []})


def test_another_process_can_run_actions(served: FakeStripe, remote: stripe.StripeClient) -> None:
    product = served.add_product(id="prod_a", name="A", metadata={"n": "1"}, prices=[{"unit_amount": 2500}])
    session = open_session(remote, product["default_price"])

    declined = control(
        served, "POST", "/_actions/pay", {"session_id": session.id, "card": "4000000000000002"}
    )
    paid = control(served, "POST", "/_actions/pay", {"session_id": session.id})
    edited = control(served, "POST", "/_actions/edit_product", {"id": "prod_a", "metadata": {"n": "2"}})
    intent = paid[1]["result"]["payment_intent"]
    refunded = control(served, "POST", "/_actions/refund", {"payment_intent": intent, "amount": 500})

    assert (declined[0], declined[1]["error"]["code"]) == (402, "card_declined")
    assert (paid[0], paid[1]["result"]["payment_status"]) == (200, "paid")
    assert edited[1]["result"]["metadata"] == {"n": "2"}
    assert refunded[1]["result"]["amount"] == 500
    assert control(served, "GET", "/_calls")[1]["calls"][0]["path"] == "/v1/checkout/sessions"


def test_another_process_can_move_the_clock(served: FakeStripe) -> None:
    before = control(served, "GET", "/_clock")[1]["now"]

    assert control(served, "POST", "/_clock", {"forward": 3600})[1]["now"] >= before + 3600
    assert control(served, "POST", "/_limits", {"enforced": True}) == (
        200,
        {"enforced": True, "patience": 2.0},
    )


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/_faults", {"kind": "explode"}, 400),
        ("/_faults", ["cut"], 400),
        ("/_clock", {"forward": "soon"}, 400),
        ("/_clock", {"forward": -1}, 400),
        ("/_clock", {}, 400),
        ("/_actions/pay", {"session_id": "cs_nobody"}, 404),
        ("/_actions/pay", {"color": "red"}, 400),
        ("/_actions/fly", {}, 404),
        ("/_actions/edit_product", {"id": "prod_nobody"}, 404),
        ("/_deliveries", {"event": "evt_nobody"}, 404),
        ("/_actions/edit_product", {"id": "prod_a", "active": "perhaps"}, 400),
        ("/_actions/edit_product", {"id": "prod_a", "name": {"a": 1}}, 400),
        ("/_limits", {"patience": "none"}, 400),
        ("/_limits", {"patience": "nan"}, 400),
        ("/_limits", {"enforced": "false"}, 400),
        ("/_faults", {"kind": "twin", "types": 5}, 400),
        ("/_faults", {"kind": "twin", "types": "product.*"}, 400),
        ("/_faults", {"kind": "cut", "path": 5}, 400),
        ("/_faults", {"kind": "duplicate", "copies": 2.5}, 400),
    ],
)
def test_a_control_endpoint_answers_bad_input_with_a_message(
    served: FakeStripe, path: str, content: Any, status: int
) -> None:
    served.add_product(id="prod_a", name="A")
    answered, answer = control(served, "POST", path, content)

    assert answered == status
    assert "error" in answer
    assert served.faults.listed() == []
    assert (served.products["prod_a"]["name"], served.products["prod_a"]["active"]) == ("A", True)
    assert (served.api.limits.enforced, served.api.locks.patience) == (False, 2.0)


@pytest.mark.parametrize(
    "body", ['{"forward": NaN}', '{"forward": 1e999}', '{"forward": 1e20}', "[" * 200_000]
)
def test_the_clock_survives_bad_input(served: FakeStripe, body: str) -> None:
    http_ = connection(served)
    http_.request("POST", "/_clock", body)
    assert http_.getresponse().status == 400

    assert served.clock.offset == 0
    assert served.call("GET", "/v1/products")[0] == 200


def test_the_clock_has_a_maximum_offset(served: FakeStripe) -> None:
    served.forward(10**9 - 1)

    with pytest.raises(ValueError, match="forward"):
        served.forward(2)


def test_an_internal_error_is_a_500_of_the_api(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> None:
        raise RuntimeError("a bug")

    fake = FakeStripe()
    fake.account.on_tick.append(broken)

    assert fake.call("GET", "/v1/products")[1]["error"]["type"] == "api_error"
    for path, kind in (("/dashboard", "text/html; charset=utf-8"), ("/_clock", "application/json")):
        answer = fake.wsgi_app.answer(Request("GET", path))
        assert (answer.status, answer.headers["Content-Type"]) == (500, kind)
    assert caplog.text.count("RuntimeError: a bug") == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://[bad"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_cannot_use_the_control_endpoints(
    served: FakeStripe, headers: dict[str, str]
) -> None:
    http_ = connection(served)
    http_.request("POST", "/_faults", json.dumps({"kind": "cut"}), headers)

    assert http_.getresponse().status == 403
    assert served.faults.listed() == []


def test_deliveries_can_be_read_and_resent_over_http(served: FakeStripe, remote: stripe.StripeClient) -> None:
    shop = Shop()
    served.add_webhook_endpoint(shop.url)
    remote.v1.products.create({"name": "A"})
    (event_id,) = served.events
    assert served.courier.wait_for(event_id, 5)

    (delivery,) = control(served, "GET", f"/_deliveries?event={event_id}")[1]["deliveries"]
    assert delivery["attempts"][0]["status"] == 200
    assert control(served, "POST", "/_deliveries", {"event": event_id})[0] == 201
    assert served.courier.wait_for(event_id, 5)

    assert shop.types() == ["product.created"] * 2
    shop.server.shutdown()
