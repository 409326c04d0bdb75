"""Build the object of a new Checkout Session from its parameters.

https://docs.stripe.com/api/checkout/sessions/object
"""

from typing import Any

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.errors import StripeError
from fake_stripe.expand import includable
from fake_stripe.store import Json

# Always null, or null until the payment.
NULL = (
    *("collected_information", "consent", "currency_conversion", "customer", "customer_account", "invoice"),
    *("managed_payments", "payment_intent", "payment_link", "payment_method_configuration_details"),
    *("recovered_from", "saved_payment_method_options", "setup_intent", "subscription", "wallet_options"),
)
# Copied from the parameters, null if not given.
AS_ASKED = (
    *("allow_promotion_codes", "billing_address_collection", "cancel_url", "client_reference_id"),
    *("customer_email", "integration_identifier", "locale", "origin_context", "permissions"),
    *("shipping_address_collection", "submit_type", "success_url"),
)
BRANDING: Json = {
    "background_color": "#ffffff",
    "border_style": "rounded",
    "button_color": "#0074d4",
    "display_name": "The shop",
    "font_family": "default",
    "icon": None,
    "logo": None,
}
# The supported payment methods. A SEPA debit is offered only if it is asked for.
SUPPORTED = ("card", "us_bank_account")
EUROS_ONLY = "sepa_debit"
ASKED = ("payment_method_types", "allowed_payment_method_types")
TEXTS = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")


def opened(call: Call, ui_mode: str, currency: str) -> Json:
    """A new session without its totals, shipping options and expiry."""
    params, id = call.params, call.new_id("checkout.session")
    return {
        **dict.fromkeys(NULL),
        **{name: params.get(name) for name in AS_ASKED},
        **_parts(params),
        **_branding(params, ui_mode),
        **_addresses(call, id, ui_mode),
        "id": id,
        "object": "checkout.session",
        "created": call.now,
        "currency": currency,
        "livemode": call.livemode,
        "metadata": p.merge_metadata({}, params.get("metadata")),
        "mode": params["mode"],
        "payment_status": "unpaid",
        "status": "open",
        "ui_mode": ui_mode,
        **_methods(params, currency),
    }


@includable("total_details", "breakdown")
def _breakdown(call: Call, total_details: Json) -> object:
    return {"discounts": [], "taxes": []}


def _parts(params: Json) -> Json:
    return {
        "adaptive_pricing": {"enabled": _enabled(params, "adaptive_pricing")},
        "after_expiration": _after_expiration(params),
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "consent_collection": _consents(params.get("consent_collection")),
        "custom_fields": _custom_fields(params.get("custom_fields", [])),
        "custom_text": {name: params.get("custom_text", {}).get(name) for name in TEXTS},
        "customer_creation": params.get("customer_creation", "if_required"),
        "customer_details": _known_customer(params),
        "discounts": [],
        "excluded_payment_method_types": params.get("excluded_payment_method_types", []),
        "invoice_creation": _invoice_creation(params),
        "optional_items": [],
        "phone_number_collection": {"enabled": _enabled(params, "phone_number_collection")},
    }


def _addresses(call: Call, id: str, ui_mode: str) -> Json:
    if ui_mode == "hosted_page":
        return {"client_secret": None, "url": f"{call.account.base_url}/c/pay/{id}"}
    return {
        "client_secret": f"{id}_{call.new_id('client_secret')}",
        "redirect_on_completion": call.params.get("redirect_on_completion", "always"),
        "return_url": call.params.get("return_url"),
        "url": None,
    }


def _branding(params: Json, ui_mode: str) -> Json:
    """The given branding over the account's defaults. Omitted unless given."""
    given = params.get("branding_settings")
    if given is None:
        return {}
    if ui_mode == "elements":
        message = "`branding_settings` is for pages hosted by Stripe, and this session has none."
        raise StripeError(message, param="branding_settings")
    return {"branding_settings": BRANDING | {name: value for name, value in given.items() if value}}


def _methods(params: Json, currency: str) -> Json:
    allowed = params.get("allowed_payment_method_types")
    excluded = params.get("excluded_payment_method_types", [])
    wanted = params.get("payment_method_types") or allowed or SUPPORTED
    types = [one for one in (*SUPPORTED, EUROS_ONLY) if one in wanted and one not in excluded]
    name = next((name for name in ASKED if params.get(name)), "excluded_payment_method_types")
    if not types:
        message = f"fake_stripe only supports the payment methods {', '.join(SUPPORTED)} and {EUROS_ONLY}."
        raise StripeError(message, param=name)
    if EUROS_ONLY in types and currency != "eur":
        message = f"The payment method {EUROS_ONLY} is for payments in eur only, and this is in {currency}."
        raise StripeError(message, param=name)
    methods: dict[str, Any] = {
        "payment_method_collection": "if_required",
        "payment_method_options": {},
        "payment_method_types": types,
    }
    return methods if allowed is None else {**methods, "allowed_payment_method_types": allowed}


def _enabled(params: Json, name: str) -> bool:
    return bool(params.get(name, {}).get("enabled", False))


def _after_expiration(params: Json) -> Json | None:
    recovery = params.get("after_expiration", {}).get("recovery")
    return {"recovery": _recovery(recovery)} if recovery else None


def _recovery(given: Json) -> Json:
    return {
        "allow_promotion_codes": given.get("allow_promotion_codes", False),
        "enabled": given["enabled"],
        "expires_at": None,
        "url": None,
    }


def _consents(given: Json | None) -> Json | None:
    names = ("payment_method_reuse_agreement", "promotions", "terms_of_service")
    return given and {name: given.get(name) for name in names}


def _known_customer(params: Json) -> Json | None:
    email = params.get("customer_email")
    return None if email is None else customer_details(email=email)


def customer_details(
    *, email: str | None, name: str | None = None, phone: str | None = None, address: Json | None = None
) -> Json:
    """`customer_details` of a session, with what is known."""
    return {
        "address": address,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": phone,
        "tax_exempt": "none",
        "tax_ids": [] if name else None,
    }


def _invoice_creation(params: Json) -> Json:
    data = dict.fromkeys(
        ("account_tax_ids", "custom_fields", "description", "footer", "issuer", "rendering_options")
    )
    enabled = params.get("invoice_creation", {}).get("enabled", False)
    if enabled:
        raise StripeError("fake_stripe does not support invoices.", param="invoice_creation")
    return {"enabled": enabled, "invoice_data": {**data, "metadata": {}}}


def _custom_fields(given: list[Json]) -> list[Json]:
    _check_unique([field["key"] for field in given], "custom_fields", "key")
    return [_custom_field(field, f"custom_fields[{i}]") for i, field in enumerate(given)]


def _check_unique(words: list[str], name: str, key: str) -> None:
    for i, word in enumerate(words):
        if word in words[:i]:
            raise StripeError(f"{word} is given twice.", param=f"{name}[{i}][{key}]")


def _custom_field(given: Json, name: str) -> Json:
    kind = given["type"]
    if kind == "dropdown":
        inner = _dropdown(given.get(kind), f"{name}[{kind}]")
    else:
        inner = _typed(given.get(kind, {}), f"{name}[{kind}]")
    return {
        "key": given["key"],
        "label": given["label"],
        "optional": given.get("optional", False),
        "type": kind,
        kind: inner,
    }


def _dropdown(own: Json | None, name: str) -> Json:
    if own is None:
        raise StripeError(f"Missing required param: {name}.", code="parameter_missing", param=name)
    values = [option["value"] for option in own["options"]]
    _check_unique(values, f"{name}[options]", "value")
    if own.get("default_value", values[0]) not in values:
        raise StripeError("The default value is not one of the options.", param=f"{name}[default_value]")
    return {"default_value": own.get("default_value"), "options": own["options"], "value": None}


def _typed(own: Json, name: str) -> Json:
    names = ("default_value", "maximum_length", "minimum_length")
    if own.get("minimum_length", 0) > own.get("maximum_length", 255):
        raise StripeError(
            "The minimum length is greater than the maximum length.", param=f"{name}[minimum_length]"
        )
    return {**{n: own.get(n) for n in names}, "value": None}


def full_address(given: Json) -> Json:
    """An address with all six fields, None where nothing was given."""
    return {n: given.get(n) for n in ("city", "country", "line1", "line2", "postal_code", "state")}
