"""Product catalog imports of API v2, which agents are given: https://docs.stripe.com/agentic-commerce/product-feed

An import is created, its file is uploaded to an address that expires, and its verdict comes later. The rules of the columns
are those of Stripe's page of 2026-05-12. Imports do not end in the order in which they began.
"""

from __future__ import annotations

import csv
import io
import re
import secrets
from datetime import UTC, datetime

from fake_stripe import params as p
from fake_stripe.account import Account, Call
from fake_stripe.errors import StripeError
from fake_stripe.store import Json

KIND = "v2.commerce.product_catalog_import"
ROW_KIND = "catalog_row"
FEEDS = ("inventory", "pricing", "product", "promotion")
OPEN_FOR = 300  # seconds in which the file can be uploaded; the guide's example
SLOWEST = 90  # seconds that the processing takes at most
SAMPLES = 5
PRICE = re.compile(r"\d{1,12}(\.\d{1,3})? [A-Z]{3}")
MAX_LENGTHS = {
    "id": 100,
    "title": 150,
    "description": 5000,
    "brand": 70,
    "mpn": 70,
    "item_group_id": 70,
    "size": 20,
}
REQUIRED = {
    "product": (
        "id",
        "title",
        "description",
        "link",
        "brand",
        "image_link",
        "availability",
        "price",
        "shipping",
    ),
    "inventory": ("id", "availability", "inventory_quantity"),
}
AVAILABILITIES = ("in_stock", "out_of_stock", "preorder", "backorder")

CREATE = p.Shape(
    {
        "feed_type": p.one_of(*FEEDS),
        "mode": p.one_of("replace", "upsert"),
        "metadata": p.Metadata(),
    },
    required=("feed_type", "mode", "metadata"),
)


def create(call: Call) -> Json:
    """POST /v2/commerce/product_catalog/imports"""
    feed, mode = call.params["feed_type"], call.params["mode"]
    if mode == "replace" and feed != "product":
        raise StripeError(f"The mode replace is not supported for feeds of type {feed}.", param="mode")
    row = {
        "id": call.new_id("catalog_import"),
        "object": KIND,
        "created": _text(call.now),
        "feed_type": feed,
        "livemode": call.livemode,
        "metadata": p.merge_metadata({}, call.params["metadata"]),
        "mode": mode,
        "status": "awaiting_upload",
        "_token": secrets.token_hex(16),
        "_expires": call.now + OPEN_FOR,
    }
    return shown(call.account, call.account.save(row))


def retrieve(call: Call) -> Json:
    """GET /v2/commerce/product_catalog/imports/{id}"""
    return shown(call.account, call.find(KIND))


def shown(account: Account, row: Json) -> Json:
    """An import as the API shows it. Integers of API v2 travel as text."""
    details: Json = row.get("_details", {})
    if row["status"] == "awaiting_upload":
        url = f"{account.base_url}/uploads/{row['_token']}"
        details = {"upload_url": {"url": url, "expires_at": _text(row["_expires"])}}
    elif row["status"] == "processing":
        details = {"error_count": "0", "success_count": "0"}
    public = {name: value for name, value in row.items() if not name.startswith("_")}
    return {**public, "status_details": {row["status"]: details}}


def upload(account: Account, token: str, body: bytes, content_type: str) -> int:
    """Take the file of an import; returns the HTTP status. The address needs no key and works once."""
    rows = account.store.table(KIND).rows.values()
    row = next((row for row in rows if row["_token"] == token), None)
    now = account.clock.now()
    if row is None or row["status"] != "awaiting_upload" or now >= row["_expires"]:
        return 403
    if content_type.partition(";")[0].strip() not in ("text/csv", "text/tab-separated-values"):
        return 403
    # Derived from the token, so that imports overtake each other.
    ready = now + 1 + int(token[:6], 16) % SLOWEST
    text = body.decode("utf-8", "replace")
    account.change(row, status="processing", _file=text, _ready=ready)
    return 200


def error_file(account: Account, token: str) -> bytes | None:
    """The rows that were refused, with a first column that says why."""
    rows = account.store.table(KIND).rows.values()
    return next(
        (row["_errors"].encode() for row in rows if row["_token"] == token and "_errors" in row), None
    )


def finish_due(account: Account) -> None:
    """End the imports whose processing is over, and fail those whose file never came."""
    now = account.clock.now()
    for row in list(account.store.table(KIND).rows.values()):
        if row["status"] == "awaiting_upload" and now >= row["_expires"]:
            with account.store.transaction():
                _fail(account, row, "file_not_found", "No file was uploaded.")
        elif row["status"] == "processing" and now >= row["_ready"]:
            with account.store.transaction():
                _finish(account, row)


def _finish(account: Account, row: Json) -> None:
    reader = csv.DictReader(io.StringIO(row["_file"], newline=""), strict=True)
    try:
        records = list(reader)
    except csv.Error as error:
        _fail(account, row, "invalid_file", f"The file cannot be read: {error}")
        return
    missing = [
        name for name in REQUIRED.get(row["feed_type"], ("id",)) if name not in (reader.fieldnames or ())
    ]
    if missing or not records:
        _fail(
            account, row, "invalid_file", f"The file has no {'rows' if not missing else ', '.join(missing)}."
        )
        return
    good, bad = _checked(account, row["feed_type"], records)
    known = account.store.table(ROW_KIND).rows
    if row["mode"] == "replace":
        for id in set(known) - set(good):
            account.store.remove(ROW_KIND, id)
    for id, record in good.items():
        old = known.get(id, {})
        account.store.put(ROW_KIND, id, {**old, **record, "object": ROW_KIND})
    details: Json = {"success_count": str(len(good))}
    if bad:
        errors = io.StringIO()
        writer = csv.writer(errors)
        writer.writerow(["stripe_error_message", *(reader.fieldnames or ())])
        for one in bad:
            writer.writerow([one["error_message"], *records[int(one["row"]) - 2].values()])
        row = {**row, "_errors": errors.getvalue()}
        details |= {"error_count": str(len(bad)), "samples": bad[:SAMPLES]}
        details["error_file"] = _error_file(account, row)
    status = "succeeded_with_errors" if bad else "succeeded"
    account.change(row, status=status, _details=details, _file="")


def _checked(account: Account, feed_type: str, records: list[Json]) -> tuple[dict[str, Json], list[Json]]:
    # Good rows by their id, and what is wrong with the others. The first row of a file is its header.
    known = account.store.table(ROW_KIND).rows
    good: dict[str, Json] = {}
    bad: list[Json] = []
    for number, record in enumerate(records, 2):
        field, problem = _problem_of(feed_type, record)
        if not problem and record["id"] in good:
            field, problem = "id", "The id occurs twice."
        if not problem and feed_type != "product" and record["id"] not in known:
            field, problem = "id", "The catalog has no product with this id."
        if problem:
            bad.append(
                {"row": str(number), "id": record.get("id") or "", "field": field, "error_message": problem}
            )
        else:
            good[record["id"]] = record
    return good, bad


def _error_file(account: Account, row: Json) -> Json:
    link = {
        "url": f"{account.base_url}/uploads/{row['_token']}/errors",
        "expires_at": _text(account.clock.now() + OPEN_FOR),
    }
    size = len(row["_errors"].encode())
    return {"content_type": "text/csv", "size": str(size), "download_url": link}


def _fail(account: Account, row: Json, code: str, message: str) -> None:
    details = {"code": code, "failure_message": message, "type": "cannot_proceed"}
    account.change(row, status="failed", _details=details, _file="")


def _problem_of(feed: str, record: dict[str, str]) -> tuple[str, str]:
    """The field that is wrong and why; both are empty for a good row."""
    if None in record or None in record.values():
        return "", "The row has another number of columns than the header."
    for name in REQUIRED.get(feed, ("id",)):
        if not record[name]:
            return name, f"{name} is required."
    for name, most in MAX_LENGTHS.items():
        if len(record.get(name, "")) > most:
            return name, f"{name} may have {most} characters."
    if record.get("availability") and record["availability"] not in AVAILABILITIES:
        return "availability", f"availability must be one of {', '.join(AVAILABILITIES)}."
    quantity = record.get("inventory_quantity", "")
    is_untracked = record.get("inventory_not_tracked") == "true"
    if is_untracked and quantity:
        return "inventory_quantity", "inventory_quantity must be blank if inventory is not tracked."
    if not is_untracked and not re.fullmatch(r"\d{1,9}", quantity):
        return "inventory_quantity", "inventory_quantity must be a whole number of 0 or more."
    if feed != "product":
        return "", ""
    if not PRICE.fullmatch(record["price"]):
        return "price", "price must look like 15.00 USD."
    if not record.get("gtin") and not record.get("mpn"):
        return "mpn", "mpn is required without a gtin."
    if not record.get("google_product_category") and not record.get("product_category"):
        return "product_category", "google_product_category or product_category is required."
    if record.get("size") and not record.get("item_group_id"):
        return "item_group_id", "item_group_id is required for a variant."
    return "", ""


def _text(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
