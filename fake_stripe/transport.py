"""An HTTP client for the stripe library that calls the fake in-process.

Only this module and bench.py import stripe, so the server runs without the library.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import stripe

from fake_stripe import routes
from fake_stripe.api import Api, ConnectionCut, Request
from fake_stripe.app import App


class InProcess(stripe.HTTPClient):
    """For `stripe.StripeClient(..., http_client=...)`: every call is answered by `api`."""

    name = "fake_stripe"

    def __init__(self, api: Api, app: App | None = None) -> None:
        """`app` answers what is outside the API: without it, files cannot be uploaded."""
        super().__init__()
        self._api, self._app = api, app

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Make one call. A connection cut by a fault raises the library's APIConnectionError."""
        parts = urlsplit(url)
        body = post_data.encode() if isinstance(post_data, str) else (post_data or b"")
        small = {name.lower(): str(value) for name, value in (headers or {}).items()}
        request = Request(method.upper(), routes.decoded(parts.path), parts.query.encode(), body, small)
        try:
            # An upload goes to an address of its own, outside the API.
            is_upload = request.path.startswith("/uploads/")
            answer = self._app.answer(request) if self._app and is_upload else self._api.answer(request)
        except ConnectionCut as cut:
            message = f"The connection was cut: {cut}"
            raise stripe.APIConnectionError(message, should_retry=True) from None  # type: ignore[no-untyped-call]
        return answer.body.decode(), answer.status, Headers(answer.headers)

    def request_stream(  # type: ignore[override]
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
    ) -> tuple[BytesIO, int, Mapping[str, str]]:
        """Like `request`, with the body as a stream."""
        text, status, answered = self.request(method, url, headers, post_data)
        return BytesIO(text.encode()), status, answered

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _sleep_time_seconds(self, num_retries: int) -> float:
        # The library waits half a second or more before it repeats a call. Here nothing gets better by waiting.
        return 0.0


class Headers(dict[str, str]):
    """Headers with case-insensitive lookup, as the library expects."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self._small = {name.lower(): value for name, value in given.items()}

    def __getitem__(self, name: str) -> str:
        return self._small[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._small

    def get(self, name: str, default: Any = None) -> Any:
        return self._small.get(name.lower(), default)
