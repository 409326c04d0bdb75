"""How does a customer pay? The hosted page: one plain form that posts to its own address."""

from html import escape
from typing import TYPE_CHECKING

from fake_stripe.people import AuthenticationNeeded, Refused, SessionEnded
from fake_stripe.store import Json
from fake_stripe.web import PageAnswer, PageRequest, html, see_other

if TYPE_CHECKING:
    from fake_stripe.fake import FakeStripe

# Stripe holds the buyer until the shop has answered the completed event, but no longer than this.
WAITS_FOR_THE_SHOP = 10.0
ADDRESS = (("line1", "Address"), ("postal_code", "Postal code"), ("city", "City"), ("country", "Country"))


def show(fake: "FakeStripe", request: PageRequest) -> PageAnswer:
    """GET /c/pay/<session>"""
    session = fake.sessions.get(request.args["session"])
    if session is None:
        return html(_page("There is no such checkout session.", ""), 404)
    if session["status"] != "open":
        return html(_page(f"This checkout session is {session['status']}.", _back(session)), 410)
    return html(_page("", _form(fake, session, {}, None)))


def submit(fake: "FakeStripe", request: PageRequest) -> PageAnswer:
    """POST /c/pay/<session>: pay, answer the bank, or let the session expire."""
    session = fake.sessions.get(request.args["session"])
    if session is None:
        return html(_page("There is no such checkout session.", ""), 404)
    try:
        if request.posted("act") == "expire":
            fake.expire(session["id"])
            return see_other(request.path)
        paid = _pay(fake, session, request)
    except SessionEnded:
        return see_other(request.path)
    except Refused as refused:
        typed = {name: values[0] for name, values in request.form.items()}
        return html(_page(refused.message, _form(fake, session, typed, refused)), 402)
    _wait_for_the_shop(fake, paid)
    return see_other(success_url(paid))


def _pay(fake: "FakeStripe", session: Json, request: PageRequest) -> Json:
    collects = bool(session["shipping_address_collection"])
    answer = request.posted("authenticated")
    return fake.pay(
        session["id"],
        card=request.posted("card"),
        email=request.posted("email"),
        name=request.posted("name"),
        phone=request.posted("phone"),
        address={name: request.posted(name) for name, _ in ADDRESS} if collects else None,
        shipping_rate=request.posted("shipping_rate") or None,
        custom_fields={f["key"]: request.posted(f"custom_{f['key']}") for f in session["custom_fields"]},
        delayed=request.posted("act") == "delayed",
        authenticated={"yes": True, "no": False}.get(answer),
    )


def _wait_for_the_shop(fake: "FakeStripe", session: Json) -> None:
    """Only where deliveries go out by themselves: in-process nobody would make them meanwhile."""
    if not fake.courier.running:
        return
    for event in fake.account.store.table("event").newest_first():
        if event["type"] == "checkout.session.completed" and event["data"]["object"]["id"] == session["id"]:
            fake.courier.wait_for(event["id"], WAITS_FOR_THE_SHOP)
            return


def success_url(session: Json) -> str:
    """Where a customer goes who has paid."""
    url = session["success_url"] or session.get("return_url") or "/"
    return str(url).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _form(fake: "FakeStripe", session: Json, typed: dict[str, str], refused: Refused | None) -> str:
    lines = "".join(
        f"<li>{escape(str(line['description']))} &times; {line['quantity']}: "
        f"{line['amount_total']} {line['currency']}</li>"
        for line in fake.lines(session["id"])
    )
    fields = [("email", "E-mail"), ("name", "Name"), ("card", "Card number")]
    if session["phone_number_collection"]["enabled"]:
        fields.append(("phone", "Phone"))
    if session["shipping_address_collection"]:
        fields += ADDRESS
    fields += [(f"custom_{f['key']}", f["label"]["custom"]) for f in session["custom_fields"]]
    typed = {"email": session["customer_email"] or "", "card": "4242 4242 4242 4242"} | typed
    inputs = "".join(_input(name, label, typed.get(name, "")) for name, label in fields)
    asked = isinstance(refused, AuthenticationNeeded)
    return (
        f"<ul>{lines}</ul><p>Total: {session['amount_total']} {session['currency']}</p>"
        f'<form method="post">{inputs}{_shipping(fake, session)}{_question() if asked else ""}'
        '<button name="act" value="pay">Pay</button> <button name="act" value="delayed">Pay by bank debit</button>'
        f' <button name="act" value="expire" formnovalidate>Let it expire</button></form>{_back(session)}'
    )


def _input(name: str, label: str, value: str) -> str:
    return f'<p><label>{escape(label)} <input name="{escape(name)}" value="{escape(value)}"></label></p>'


def _shipping(fake: "FakeStripe", session: Json) -> str:
    options = []
    for option in session["shipping_options"]:
        rate = fake.account.store.get("shipping_rate", option["shipping_rate"]) or {"display_name": ""}
        text = f"{rate['display_name']} ({option['shipping_amount']} {session['currency']})"
        options.append(f'<option value="{option["shipping_rate"]}">{escape(text)}</option>')
    chosen = "".join(options)
    return f'<p><label>Shipping <select name="shipping_rate">{chosen}</select></label></p>' if options else ""


def _question() -> str:
    return (
        "<fieldset><legend>Your bank asks: is that you?</legend>"
        '<label><input type="radio" name="authenticated" value="yes" checked> Yes</label> '
        '<label><input type="radio" name="authenticated" value="no"> No</label></fieldset>'
    )


def _back(session: Json) -> str:
    url = session["cancel_url"]
    return f'<p><a href="{escape(url)}">Back to the shop</a></p>' if url else ""


def _page(message: str, content: str) -> str:
    said = f'<p role="alert">{escape(message)}</p>' if message else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Fake checkout</title>'
        f"<h1>Checkout <small>(this is not Stripe)</small></h1>{said}{content}</html>"
    )
