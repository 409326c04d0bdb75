"""Serve the fake on a port: `python -m fake_stripe --port 12111 --state fake.sqlite3`."""

import argparse
import signal
import sys
import threading
from types import FrameType

from fake_stripe.account import API_VERSION, VERSION
from fake_stripe.fake import FakeStripe
from fake_stripe.params import URL
from fake_stripe.recorder import Recorder
from fake_stripe.routes import ROUTES
from fake_stripe.server import Server

COMMAND_ENDPOINT = "made by --webhook-url"


def main() -> int:
    """Serve until SIGTERM or Ctrl-C. Prints one line when ready."""
    options = _parser().parse_args()
    try:
        fake = FakeStripe(options.key, options.seed, options.state, api_version=options.api_version)
        server = Server(fake, options.host, options.port)
        if options.record:
            Recorder(options.record).watch(fake)
    except OSError as error:
        print(f"fake_stripe cannot start: {error}", file=sys.stderr)
        return 1
    fake.api.limits.enforced = options.rate_limits
    for secret, may in options.restricted_key:
        fake.keys.add(secret, may)
    _connect_endpoint(fake, options.webhook_url, options.webhook_secret)
    fake.courier.start()
    _stop_on_signals(server)
    print(f"fake_stripe is ready at {fake.base_url} (dashboard: {fake.base_url}/dashboard)", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    fake.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fake_stripe", description="A fake Stripe for tests and demonstrations."
    )
    parser.add_argument("--port", type=_port, default=12111, help="0 takes a free port (default 12111)")
    parser.add_argument(
        "--host", default="127.0.0.1", help="default 127.0.0.1, reachable from this machine only"
    )
    parser.add_argument(
        "--state", metavar="FILE", help="store the account in this SQLite file (default: in memory)"
    )
    parser.add_argument("--key", default="sk_test_fake", help="the secret key (default sk_test_fake)")
    parser.add_argument(
        "--restricted-key",
        metavar="KEY=RESOURCE:ACCESS,...",
        type=_restricted_key,
        action="append",
        default=[],
        help="add a key, such as rk_test_shop=products:write,prices:read; can be repeated",
    )
    parser.add_argument(
        "--api-version",
        type=_api_version,
        default=API_VERSION,
        help=f"the account's default version, for calls without a Stripe-Version (default {API_VERSION})",
    )
    parser.add_argument("--seed", default="0", help="seed for ids and faults (default 0)")
    parser.add_argument(
        "--webhook-url", type=_web_address, help="create a webhook endpoint that receives every event"
    )
    parser.add_argument(
        "--webhook-secret", help="its signing secret, whsec_... (default: generated and printed)"
    )
    parser.add_argument(
        "--record", metavar="FILE", help="append every exchange and event to this file as JSON lines"
    )
    parser.add_argument("--rate-limits", action="store_true", help="answer 429 beyond 25 calls per second")
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"a port must be a number from 0 to 65535, not {text!r}")
    return int(text)


def _api_version(text: str) -> str:
    if not VERSION.match(text):
        raise argparse.ArgumentTypeError(f"not an API version: {text!r}")
    return text


def _web_address(text: str) -> str:
    if not URL.match(text):
        raise argparse.ArgumentTypeError(f"not an http or https URL: {text!r}")
    return text


def _restricted_key(text: str) -> tuple[str, dict[str, str]]:
    """The key and its permissions: resource -> "read" or "write"."""
    secret, _, granted = text.partition("=")
    may = dict(part.partition(":")[::2] for part in granted.split(",") if part)
    resources = {route.resource for route in ROUTES}
    if not secret.startswith(("rk_test_", "rk_live_")):
        raise argparse.ArgumentTypeError(
            f"a restricted key must begin with rk_test_ or rk_live_, not {secret!r}"
        )
    for resource, access in may.items():
        if resource not in resources:
            names = ", ".join(sorted(resources))
            raise argparse.ArgumentTypeError(f"unknown resource {resource!r}; the resources are {names}")
        if access not in ("read", "write"):
            raise argparse.ArgumentTypeError(f"access must be read or write, not {access!r}")
    return secret, may


def _connect_endpoint(fake: FakeStripe, url: str | None, secret: str | None) -> None:
    """Create the endpoint, or update the one an earlier start created: its URL or secret may have changed."""
    if not url:
        return
    existing = [e for e in fake.webhook_endpoints.values() if e["description"] == COMMAND_ENDPOINT]
    if existing:
        endpoint = fake.move_webhook_endpoint(existing[0]["id"], url, secret)
    else:
        endpoint = fake.add_webhook_endpoint(url, secret=secret, description=COMMAND_ENDPOINT)
    if not secret:
        print(f"Events are sent to {url}, signed with {endpoint['secret']}", flush=True)


def _stop_on_signals(server: Server) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        # From another thread: shutdown waits for serve_forever, which waits for this signal handler.
        threading.Thread(target=server.shutdown, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


if __name__ == "__main__":
    raise SystemExit(main())
