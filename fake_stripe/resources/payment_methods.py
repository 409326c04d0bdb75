"""Payment methods: test cards by token, and SEPA debits by test IBAN.

https://docs.stripe.com/api/payment_methods, https://docs.stripe.com/testing
"""

from dataclasses import dataclass

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.cards import TOKENS, Card, NotATestCard, card_of
from fake_stripe.errors import StripeError
from fake_stripe.resources.payment_objects import NO_BILLING_DETAILS, new_method
from fake_stripe.store import Json

# IBAN -> what becomes of a debit. https://docs.stripe.com/payments/sepa-debit/accept-a-payment#test-integration
IBANS = {
    "AT611904300234573201": "succeeds",
    "DE89370400440532013000": "succeeds",
    "AT321904300235473204": "waits",
    "AT861904300235473202": "fails",
    "IT60X0542811101000000123456": "fails",
}
KINDS = ("card", "sepa_debit")
# What a test card would cause after the payment, by its token without the prefix.
NOT_SUPPORTED = {"bypassPending": "balances"}

ADDRESS = p.Shape(
    {name: p.Text(unset=True) for name in ("city", "country", "line1", "line2", "postal_code", "state")}
)
BILLING = p.Shape(
    {
        "address": ADDRESS,
        "email": p.email(),
        "name": p.Text(unset=True),
        "phone": p.Text(unset=True),
        "tax_id": p.NotSupported("taxes"),
    }
)
CARD = p.Shape(
    {
        "cvc": p.Text(max_length=4),
        "exp_month": p.Integer(1, 12),
        "exp_year": p.Integer(0, 9999),
        "networks": p.NotSupported("networks of cards"),
        "number": p.Text(max_length=50),
        "token": p.Text(),
    },
    exclusive=("number", "token"),
)
CREATE = p.body(
    allow_redisplay=p.one_of("always", "limited", "unspecified"),
    billing_details=BILLING,
    card=CARD,
    customer=p.NotSupported("customers"),
    metadata=p.Metadata(),
    payment_method=p.NotSupported("cloned payment methods"),
    radar_options=p.NotSupported("Radar"),
    sepa_debit=p.Shape({"iban": p.Text(max_length=50)}, required=("iban",)),
    type=p.Text(),
)


@dataclass(frozen=True)
class Method:
    """A payment method that can be used once: a test card, or a SEPA debit with what becomes of it, as its IBAN says."""

    row: Json
    card: Card | None
    outcome: str = ""


def create(call: Call) -> Json:
    """POST /v1/payment_methods"""
    params = call.params
    kind = params.get("type")
    if kind is None:
        raise StripeError("Missing required param: type.", code="parameter_missing", param="type")
    if kind not in KINDS:
        raise StripeError(
            f"fake_stripe only supports payment methods of {' and '.join(KINDS)}.", param="type"
        )
    if kind not in params:
        raise StripeError(f"Missing required param: {kind}.", code="parameter_missing", param=kind)
    source = _card_number(params[kind]) if kind == "card" else _iban(params[kind]["iban"])
    return _new(call, kind, source, params.get("billing_details"), params)


def _card_number(given: Json) -> str:
    if "number" in given:
        try:
            return card_of(given["number"]).number
        except NotATestCard as error:
            raise StripeError(
                str(error), status=402, type="card_error", code="incorrect_number", param="card[number]"
            ) from None
    if "token" not in given:
        raise StripeError("Missing required param: card[token].", code="parameter_missing", param="card")
    return card_from_token(given["token"], "card[token]").number


def _iban(text: str) -> str:
    iban = text.replace(" ", "").upper()
    if iban not in IBANS:
        message = f"This is not a test IBAN. Use one of {', '.join(IBANS)}."
        raise StripeError(message, code="invalid_bank_account_iban", param="sepa_debit[iban]")
    return iban


def _new(call: Call, kind: str, source: str, billing: Json | None, fields: Json) -> Json:
    given = billing or {}
    address = given.get("address")
    if address is not None:
        given = {**given, "address": {name: address.get(name) for name in ADDRESS.fields}}
    method = new_method(call, kind, card_of(source) if kind == "card" else None, NO_BILLING_DETAILS | given)
    method = call.account.change(
        method,
        allow_redisplay=fields.get("allow_redisplay", "unspecified"),
        metadata=p.merge_metadata({}, fields.get("metadata")),
    )
    call.account.store.put("payment_source", method["id"], {"source": source})
    return method


def card_from_token(token: str, param: str) -> Card:
    """The test card of a token or of a payment method such as pm_card_visa."""
    effect = NOT_SUPPORTED.get(token.removeprefix("tok_").removeprefix("pm_card_"))
    if effect:
        raise StripeError(f"fake_stripe does not support {effect}, so it refuses {token}.", param=param)
    if token not in TOKENS:
        message = f"No such {'PaymentMethod' if param == 'payment_method' else 'token'}: '{token}'"
        raise StripeError(message, code="resource_missing", param=param)
    return card_of(TOKENS[token])


def find(call: Call, id: str) -> Method:
    """The method of a `payment_method` parameter. Stripe's ready-made ones, such as pm_card_visa, are created."""
    row = call.account.get("payment_method", id, call.livemode)
    if row is None:
        row = _new(call, "card", card_from_token(id, "payment_method").number, None, {})
    known = call.account.store.get("payment_source", row["id"])
    if known is None:
        message = (
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, "
            "so it cannot be used again."
        )
        raise StripeError(message, param="payment_method")
    source = known["source"]
    return Method(row, card_of(source)) if row["type"] == "card" else Method(row, None, IBANS[source])


def use_up(call: Call, method: Method) -> None:
    """Prevent another payment with a method that belongs to no customer."""
    call.account.store.remove("payment_source", method.row["id"])


def retrieve(call: Call) -> Json:
    """GET /v1/payment_methods/{id}"""
    return call.find("payment_method")
