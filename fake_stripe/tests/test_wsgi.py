"""The WSGI application under the standard library's validator."""

import io
import json
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from fake_stripe import ConnectionCut, FakeStripe

KEY: dict[str, Any] = {"HTTP_AUTHORIZATION": "Bearer sk_test_fake"}
FORM: dict[str, Any] = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}


def ask(fake: FakeStripe, method: str, path: str, body: bytes = b"", **environ: Any) -> tuple[str, bytes]:
    given: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.input": io.BytesIO(body)}
    given |= {"CONTENT_LENGTH": str(len(body)), "QUERY_STRING": "", "SCRIPT_NAME": "", **environ}
    setup_testing_defaults(given)
    said: list[str] = []

    def start_response(status: str, headers: Any, problem: Any = None) -> Any:
        said.append(status)
        return said.append

    answer = validator(fake.wsgi_app)(given, start_response)
    content = b"".join(answer)
    answer.close()  # type: ignore[attr-defined]
    return said[0], content


def test_the_api_is_valid_wsgi(fake: FakeStripe) -> None:
    status, body = ask(fake, "POST", "/v1/products", b"name=A", **KEY, **FORM)

    assert status == "200 OK"
    assert json.loads(body)["name"] == "A"
    assert ask(fake, "GET", "/v1/products", QUERY_STRING="limit=0", **KEY)[0] == "400 Bad Request"


def test_pages_are_valid_wsgi(fake: FakeStripe, shirt: Any) -> None:
    lines = [{"price": shirt["default_price"], "quantity": 1}]
    session = fake.open_session(line_items=lines)

    assert ask(fake, "GET", f"/c/pay/{session['id']}")[0] == "200 OK"
    assert ask(fake, "GET", "/dashboard")[0] == "200 OK"
    assert ask(fake, "HEAD", "/dashboard") == ("200 OK", b"")
    assert ask(fake, "GET", "/c/pay/cs_test_nobody")[0].startswith("404")


def test_a_path_of_arbitrary_bytes_is_a_404(fake: FakeStripe) -> None:
    assert ask(fake, "GET", "/v1/products/\xff\xfe\x00", **KEY)[0] == "404 Not Found"
    assert ask(fake, "GET", "/\xff")[0] == "404 Not Found"


def test_a_cut_raises_from_the_application(fake: FakeStripe) -> None:
    fake.faults.add("cut")

    with pytest.raises(ConnectionCut):
        ask(fake, "GET", "/v1/products", **KEY)
