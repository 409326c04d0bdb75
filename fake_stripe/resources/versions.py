"""Parameters that depend on the version of the API: https://docs.stripe.com/changelog"""

from fake_stripe.errors import refused_before_running
from fake_stripe.store import Json

NEW_UI_MODES_SINCE = "2026-03-25"
NO_METHOD_TYPES_SINCE = "2026-09-30"
DELIVERY_HAS_DETAILS_SINCE, DELIVERY_IS_COLLECTED_SINCE = "2022-08-01", "2025-03-31"
OLD_UI_MODES = {"hosted": "hosted_page", "embedded": "embedded_page", "custom": "elements"}


def fit_methods(form: Json, version: str) -> Json:
    """The parameters of a session or PaymentIntent; raises StripeError for those the version has removed."""
    if "payment_method_types" in form and version >= NO_METHOD_TYPES_SINCE:
        message = (
            "Received unknown parameter: payment_method_types. Use allowed_payment_method_types, "
            "excluded_payment_method_types or the Dashboard's settings."
        )
        raise refused_before_running(message, param="payment_method_types", code="parameter_unknown")
    return form


def fit_session(form: Json, version: str) -> Json:
    """The parameters of a new session, translated from those of an older version."""
    mode = form.get("ui_mode")
    if isinstance(mode, str) and version < NEW_UI_MODES_SINCE:
        form = {**form, "ui_mode": OLD_UI_MODES.get(mode, mode)}
    return fit_methods(form, version)


def event_object(obj: Json, version: str) -> Json:
    """An object as an event of this version contains it. Of the older names only those of sessions are imitated.

    https://docs.stripe.com/changelog/2022-08-01/updates-shipping-property-checkout-session,
    https://docs.stripe.com/changelog/basil/2025-03-31/checkout-session-remove-shipping-details
    """
    if obj["object"] != "checkout.session" or version >= DELIVERY_IS_COLLECTED_SINCE:
        return obj
    collected = obj["collected_information"] or {}
    name = "shipping_details" if version >= DELIVERY_HAS_DETAILS_SINCE else "shipping"
    older = {key: value for key, value in obj.items() if key != "collected_information"}
    return {**older, name: collected.get("shipping_details")}
