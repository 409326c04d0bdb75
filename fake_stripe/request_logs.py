"""The messages of `stripe logs tail`: one for each API call that passes the filters of the session."""

import json
from fnmatch import fnmatchcase

from fake_stripe.account import Account
from fake_stripe.api import Exchange
from fake_stripe.store import Json


def log_message(account: Account, exchange: Exchange, listener: Json) -> str | None:
    """The message about a call; None if a filter leaves it out."""
    if exchange.path.startswith("/v1/stripecli") or not _passes(exchange, listener.get("filters") or {}):
        return None
    error = exchange.response.get("error") or {}
    fields = ("type", "charge", "code", "decline_code", "message", "param")
    payload = {
        "created_at": account.clock.now(),
        "error": {name: error[name] for name in fields if isinstance(error.get(name), str)},
        "livemode": listener["livemode"],
        "method": exchange.method,
        "request_id": exchange.request_id,
        "status": exchange.status,
        "url": exchange.path,
    }
    message = {
        "type": "request_log_event",
        "event_payload": json.dumps(payload),
        "request_log_id": f"resp_{exchange.request_id.removeprefix('req_')}",
    }
    return json.dumps(message)


def _passes(exchange: Exchange, filters: Json) -> bool:
    """Whether the call has one of the values of each filter. All calls come from this machine, through the API."""
    facts = {
        "filter_http_method": exchange.method,
        "filter_request_path": exchange.path,
        "filter_request_status": "SUCCEEDED" if exchange.status < 400 else "FAILED",
        "filter_source": "API",
        "filter_status_code": str(exchange.status),
        "filter_status_code_type": f"{exchange.status // 100}00",
    }
    return all(
        any(fnmatchcase(facts[name].lower(), str(value).lower()) for value in values)
        for name, values in filters.items()
        if name in facts
    )
