"""Checkout Sessions: https://docs.stripe.com/api/checkout/sessions"""

import heapq

from fake_stripe import params as p
from fake_stripe.account import NO_REQUEST, Account, Call
from fake_stripe.currencies import check_charge
from fake_stripe.errors import StripeError
from fake_stripe.events import emit
from fake_stripe.paging import page
from fake_stripe.resources import line_items, taxes
from fake_stripe.resources.session_object import full_address, opened
from fake_stripe.store import Json

MIN_LIFETIME, MAX_LIFETIME = 30 * 60, 24 * 3600
HOSTED_ONLY = ("success_url", "cancel_url")
# Sessions whose form is part of the shop's own page, so the shop may set what it collected there.
COLLECTED_BY_THE_SHOP = ("embedded_page", "elements")


def create(call: Call) -> Json:
    """POST /v1/checkout/sessions, in `payment` or `subscription` mode."""
    params = call.params
    _refuse_unsupported(params)
    taxes.check(call, params)
    ui_mode = params.get("ui_mode", "hosted_page")
    _check_addresses(params, ui_mode)
    items, currency = _lines(call)
    options = line_items.shipping_options(call, params.get("shipping_options", []), currency)
    session = {
        **opened(call, ui_mode, currency),
        **line_items.totals(items, options[0] if options else None),
        "expires_at": _expiry(call),
        "shipping_options": options,
    }
    check_charge(session["amount_total"], currency)
    session["automatic_tax"] = taxes.automatic_tax(params)
    line_items.keep(call, session["id"], items, currency_is_given="currency" in params)
    _keep_intent_data(call, session)
    call.account.store.after_commit(lambda: _watch(call.account, session))
    return call.account.save(session)


def _refuse_unsupported(params: Json) -> None:
    if params["mode"] == "setup":
        raise StripeError("fake_stripe does not support sessions in `setup` mode.", param="mode")
    if params.get("tax_id_collection", {}).get("enabled"):
        raise StripeError("fake_stripe does not collect tax ids.", param="tax_id_collection")


def _check_addresses(params: Json, ui_mode: str) -> None:
    if ui_mode == "hosted_page":
        if "success_url" not in params:
            message = "Missing required param: success_url."
            raise StripeError(message, code="parameter_missing", param="success_url")
        if "return_url" in params:
            raise StripeError("`return_url` is for embedded sessions only.", param="return_url")
        return
    for name in HOSTED_ONLY:
        if name in params:
            raise StripeError(f"`{name}` is for hosted sessions only.", param=name)
    if "return_url" not in params and params.get("redirect_on_completion") != "never":
        message = "Missing required param: return_url."
        raise StripeError(message, code="parameter_missing", param="return_url")


def _lines(call: Call) -> tuple[list[Json], str]:
    given = call.params.get("line_items")
    if not given:
        message = "Missing required param: line_items."
        raise StripeError(message, code="parameter_missing", param="line_items")
    return line_items.make(call, given, call.params.get("currency"), mode=call.params["mode"])


def _expiry(call: Call) -> int:
    expires_at = int(call.params.get("expires_at", call.now + MAX_LIFETIME))
    if expires_at < call.now + MIN_LIFETIME:
        message = "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation."
        raise StripeError(message, param="expires_at")
    if expires_at > call.now + MAX_LIFETIME:
        message = "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation."
        raise StripeError(message, param="expires_at")
    return expires_at


def _keep_intent_data(call: Call, session: Json) -> None:
    data = call.params.get("payment_intent_data")
    if data:
        call.account.store.put("session_intent_data", session["id"], data)


def retrieve(call: Call) -> Json:
    """GET /v1/checkout/sessions/{id}"""
    return call.find("checkout.session")


def update(call: Call) -> Json:
    """POST /v1/checkout/sessions/{id}: metadata at any time, the rest while the session is open.

    The lines of a hosted session cannot be changed.
    """
    session = call.find("checkout.session")
    params = call.params
    if "line_items" in params and session["ui_mode"] in ("hosted_page", "embedded_page"):
        message = "The line items of a hosted or embedded session cannot be changed. Expire it and create another one."
        raise StripeError(message, param="line_items")
    if "collected_information" in params and session["ui_mode"] not in COLLECTED_BY_THE_SHOP:
        message = (
            "`collected_information` can only be set in a session with `ui_mode` embedded_page or elements."
        )
        raise StripeError(message, param="collected_information")
    for name in ("line_items", "collected_information", "shipping_options"):
        if name in params and session["status"] != "open":
            raise StripeError(
                f"This session is {session['status']}, so {name} cannot be changed.", param=name
            )
    fields: Json = {}
    if "metadata" in params:
        fields["metadata"] = p.merge_metadata(session["metadata"] or {}, params["metadata"])
    fields |= _changed_lines(call, session)
    if "collected_information" in params:
        fields["collected_information"] = _collected(params["collected_information"])
    return call.account.change(session, **fields)


def _changed_lines(call: Call, session: Json) -> Json:
    if "line_items" not in call.params and "shipping_options" not in call.params:
        return {}
    items = (call.account.store.get("session_lines", session["id"]) or {"lines": []})["lines"]
    if "line_items" in call.params:
        items, _ = line_items.make(call, call.params["line_items"], session["currency"])
        line_items.keep(call, session["id"], items)
    options = session["shipping_options"]
    if "shipping_options" in call.params:
        options = line_items.shipping_options(call, call.params["shipping_options"], session["currency"])
    sums = line_items.totals(items, options[0] if options else None)
    check_charge(sums["amount_total"], session["currency"])
    return {**sums, "shipping_options": options}


def _collected(given: Json) -> Json:
    details = given.get("shipping_details")
    if details:
        details = {"address": full_address(details["address"]), "name": details["name"]}
    return {"business_name": None, "individual_name": None, "shipping_details": details}


def expire(call: Call) -> Json:
    """POST /v1/checkout/sessions/{id}/expire, only while the session is open."""
    session = call.find("checkout.session")
    if session["status"] != "open":
        message = (
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of {session['status']}."
        )
        raise StripeError(message)
    return end(call, session)


def end(call: Call, session: Json) -> Json:
    session = call.account.change(session, status="expired", url=None)
    emit(call, "checkout.session.expired", session)
    return session


def expire_due(account: Account) -> None:
    """Expire every open session that is due. Runs before each call and in the delivery thread."""
    now = account.clock.now()
    with account.store.lock:
        if not _next_is_due(account, now):
            return
    with account.store.transaction():
        while _next_is_due(account, now):
            _expire_one(account, heapq.heappop(account.deadlines)[1])


def _next_is_due(account: Account, now: int) -> bool:
    return bool(account.deadlines) and account.deadlines[0][0] <= now


def _expire_one(account: Account, id: str) -> None:
    session = account.store.get("checkout.session", id)
    if session is not None and session["status"] == "open":
        end(Call(account, NO_REQUEST, session["livemode"]), session)


def watch_deadlines(account: Account) -> None:
    """Watch the expiry of the open sessions that were read from a state file."""
    sessions = account.store.table("checkout.session").rows.values()
    account.deadlines = [(s["expires_at"], s["id"]) for s in sessions if s["status"] == "open"]
    heapq.heapify(account.deadlines)
    account.on_tick.append(lambda: expire_due(account))


def _watch(account: Account, session: Json) -> None:
    with account.store.lock:
        heapq.heappush(account.deadlines, (session["expires_at"], session["id"]))


def move_pages(account: Account) -> None:
    """Update the URLs of open sessions after base_url has changed, as by another port after a restart."""
    with account.store.transaction():
        for session in list(account.store.table("checkout.session").rows.values()):
            url = f"{account.base_url}/c/pay/{session['id']}"
            if session["url"] and session["url"] != url:
                account.change(session, url=url)


def list_all(call: Call) -> Json:
    """GET /v1/checkout/sessions"""
    params = call.params
    for name in ("customer", "customer_account", "payment_link", "subscription"):
        if name in params:
            raise StripeError(f"No such {name}: '{params[name]}'", code="resource_missing", param=name)

    email = params.get("customer_details", {}).get("email")

    def keep(row: Json) -> bool:
        if email is not None and (row["customer_details"] or {}).get("email") != email:
            return False
        return all(row[name] == params[name] for name in ("payment_intent", "status") if name in params)

    return page(call, "checkout.session", "/v1/checkout/sessions", keep)
