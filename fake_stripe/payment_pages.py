"""The calls with which the Stripe CLI pays a Checkout Session. No reference of Stripe describes them.

`stripe trigger checkout.session.completed` retrieves the session's page and confirms it with a payment method.
"""

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.customers import CardDeclined, Customers, Refused, SessionEnded
from fake_stripe.errors import StripeError
from fake_stripe.resources import payment_methods
from fake_stripe.resources.payment_methods import Method
from fake_stripe.store import Json

CONFIRM = p.body(expected_amount=p.Integer(minimum=0), payment_method=p.Text())


def retrieve(call: Call) -> Json:
    """GET /v1/payment_pages/{id}, with the id of a session."""
    return _page(call.find("checkout.session"))


def confirm(call: Call) -> Json:
    """POST /v1/payment_pages/{id}/confirm: pay as a customer with this payment method.

    A SEPA debit succeeds or fails at once, as its test IBAN says, or waits for `FakeStripe.settle_delayed`.
    """
    session = call.find("checkout.session")
    if "payment_method" not in call.params:
        message = "Missing required param: payment_method."
        raise StripeError(message, code="parameter_missing", param="payment_method")
    expected = call.params.get("expected_amount", session["amount_total"])
    if expected != session["amount_total"]:
        message = f"The amount of this session is {session['amount_total']}, not {expected}."
        raise StripeError(message, param="expected_amount")
    method = payment_methods.find(call, call.params["payment_method"])
    customers = Customers(call.account)
    session = _pay(customers, session["id"], method)
    if method.outcome in ("succeeds", "fails") and session["payment_status"] == "unpaid":
        session = customers.settle_delayed(session["id"], succeeded=method.outcome == "succeeds")
    return _page(session)


def _pay(customers: Customers, session_id: str, method: Method) -> Json:
    billing = {name: value for name, value in method.row["billing_details"].items() if value is not None}
    known = {name: billing[name] for name in ("email", "name", "phone", "address") if name in billing}
    try:
        return customers.pay(session_id, method=method, **known)
    except CardDeclined as declined:
        extra = {"decline_code": declined.decline_code} if declined.decline_code else {}
        raise StripeError(
            declined.message,
            status=402,
            type="card_error",
            code=declined.code,
            takes_effect=True,
            extra=extra,
        ) from None
    except SessionEnded as ended:
        raise StripeError(ended.message, param="id") from None
    except Refused as refused:
        raise StripeError(refused.message, code=refused.code, takes_effect=True) from None


def _page(session: Json) -> Json:
    names = ("amount_total", "currency", "livemode", "mode", "payment_status", "status", "url")
    return {"id": session["id"], "object": "payment_page", **{name: session[name] for name in names}}
