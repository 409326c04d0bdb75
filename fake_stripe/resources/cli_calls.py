"""The calls of the Stripe CLI: sessions of `listen` and `logs tail`, resent events, the account and its connected accounts.

No reference of Stripe describes the first two. What is known of them comes from the CLI itself, version 1.52.0.
"""

import json
from collections.abc import Mapping

from fake_stripe import deliveries, websocket
from fake_stripe import params as p
from fake_stripe.account import API_VERSION, Account, Call
from fake_stripe.errors import StripeError
from fake_stripe.listeners import LISTEN, LOGS, TooManyListeners, signing_secret
from fake_stripe.paging import page_of
from fake_stripe.store import Json

PATH = "/stripecli/websocket"
# Seconds after which the CLI opens a new connection. Without it the CLI does so every minute.
RECONNECT_DELAY = 3600
FORWARDS = ("forward_to_url", "forward_connect_to_url", "forward_thin_to_url", "forward_thin_connect_to_url")
# The CLI's names of its filters, see `stripe logs tail --help`.
FILTERS = (
    "filter_account",
    "filter_http_method",
    "filter_ip_address",
    "filter_request_path",
    "filter_request_status",
    "filter_source",
    "filter_status_code",
    "filter_status_code_type",
)
URL = p.Text(max_length=5000, unset=True)
OPEN = p.Shape(
    {
        "device_name": p.Text(max_length=500, unset=True),
        "filters": p.Text(unset=True),
        "websocket_features": p.ListOf(p.Text(max_length=100), minimum=1, max_length=10),
        **dict.fromkeys(FORWARDS, URL),
    },
    required=("websocket_features",),
)
ACCOUNTS = p.listing(created=p.CREATED)
RETRY = p.body(
    exclusive=["for_stripecli", "webhook_endpoint"],
    account=p.Text(),
    for_stripecli=p.Boolean(),
    webhook_endpoint=p.Text(),
)


def open_session(call: Call) -> Json:
    """POST /v1/stripecli/sessions: the address, ticket and signing secret of a websocket."""
    params, account = call.params, call.account
    if not account.has_websocket:
        message = (
            "This fake_stripe has no port, so it has no websocket. Start it with `python -m fake_stripe`."
        )
        raise StripeError(message)
    feature = _feature(params["websocket_features"])
    forwards = [params.get(name) or "" for name in FORWARDS]
    try:
        listener, ticket = account.listeners.open(
            livemode=call.livemode,
            feature=feature,
            origin=" ".join([call.secret_key, params.get("device_name") or "", *forwards]),
            forwards=any(forwards),
            filters=_filters(params.get("filters")),
            secret=signing_secret(call.secret_key),
        )
    except TooManyListeners:
        raise StripeError(
            "Too many `stripe listen` sessions are open.", status=429, code="rate_limit"
        ) from None
    scheme, _, rest = account.base_url.partition("://")
    return {
        "default_version": account.api_version,
        "display_connect_filter_warning": False,
        "latest_version": API_VERSION,
        "reconnect_delay": RECONNECT_DELAY,
        "secret": listener["secret"],
        "websocket_authorized_feature": feature,
        "websocket_id": ticket,
        "websocket_url": f"{'wss' if scheme == 'https' else 'ws'}://{rest}{PATH}",
    }


def _feature(asked: list[str]) -> str:
    for feature in (LISTEN, LOGS):
        if feature in asked:
            return feature
    message = f"fake_stripe has no websocket feature {asked[0]!r}, only {LISTEN} and {LOGS}."
    raise StripeError(message, param="websocket_features")


def _filters(text: str | None) -> Json:
    """The filters of `logs tail`, name -> values; raises StripeError for anything but JSON with known filters."""
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not set(given) <= set(FILTERS):
        message = f"Invalid filters: a JSON object with some of {', '.join(FILTERS)} was expected."
        raise StripeError(message, param="filters")
    filters = {name: value if isinstance(value, list) else [value] for name, value in given.items() if value}
    if not all(isinstance(one, str) for values in filters.values() for one in values):
        raise StripeError("Invalid filters: their values must be text.", param="filters")
    return filters


def listener_of(account: Account, headers: Mapping[str, str]) -> Json:
    """The listener of a handshake's Websocket-Id; raises HandshakeRefused. The CLI asks for a new session then."""
    with account.store.lock:
        listener = account.listeners.find(headers.get("websocket-id", ""))
    if listener is None:
        raise websocket.HandshakeRefused("Unknown WebSocket ID.", 401)
    return listener


def retry_event(call: Call) -> Json:
    """POST /v1/events/{id}/retry, of `stripe events resend`: to the CLI, or to a webhook endpoint."""
    event = call.find("event")
    if "webhook_endpoint" in call.params:
        endpoint = call.referred("webhook_endpoint", call.params["webhook_endpoint"], "webhook_endpoint")
        deliveries.resend(call.account, event, endpoint)
    elif call.params.get("for_stripecli"):
        call.account.listeners.keep(event)
    else:
        message = "One of the following params should be provided: for_stripecli or webhook_endpoint."
        raise StripeError(message, code="parameter_missing", param="webhook_endpoint")
    return event


def list_accounts(call: Call) -> Json:
    """GET /v1/accounts: no connected accounts."""
    return page_of(call, [], "/v1/accounts", "account")


def retrieve_account(call: Call) -> Json:
    """GET /v1/account: the account of the key."""
    return {
        "id": call.account.id,
        "object": "account",
        "business_profile": None,
        "business_type": None,
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "US",
        "created": 0,
        "default_currency": "usd",
        "details_submitted": True,
        "email": None,
        "metadata": {},
        "payouts_enabled": True,
        "settings": None,
        "type": "standard",
    }
