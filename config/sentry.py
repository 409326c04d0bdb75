"""Report errors to Sentry, where SENTRY_DSN is set.

Nothing personal is sent: no users, bodies, cookies, headers, query strings or local variables, no rows that PostgreSQL
quotes in its errors, and no signed links. https://docs.sentry.io/platforms/python/data-management/sensitive-data/
"""

from __future__ import annotations

import re
from typing import Any, cast

from config.logs import current_context, without_links

Event = dict[str, Any]
# PostgreSQL adds the rows in question: "DETAIL:  Failing row contains (..., ada@example.com, ...)."
ROWS = re.compile(r"\s*\b(?:DETAIL|CONTEXT):.*", re.DOTALL)


def start(dsn: str, *, release: str = "") -> None:
    # Imported here: the import takes longer than that of Django.
    import sentry_sdk

    sentry_sdk.init(
        dsn=dsn,
        release=release or None,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=cast(Any, _without_personal_data),
        before_breadcrumb=lambda crumb, hint: None,
    )


def _without_personal_data(event: Event, hint: Event) -> Event:
    event.pop("user", None)
    request = event.pop("request", {})
    if address := request.get("url"):
        event["request"] = {"method": request.get("method"), "url": without_links(address)}
    for error in event.get("exception", {}).get("values", []):
        error["value"] = without_links(ROWS.sub("", str(error.get("value", ""))))
    if entry := event.get("logentry"):
        message = str(entry.get("formatted") or entry.get("message", ""))
        event["logentry"] = {"message": without_links(ROWS.sub("", message))}
    # The ids of the request, event, order and product, as in the log; the client's address stays here.
    ids = {name: value for name, value in current_context().items() if value and name != "client"}
    event["tags"] = {**event.get("tags", {}), **ids}
    event.pop("extra", None)
    return event
