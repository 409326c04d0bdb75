"""Parameters that depend on the version of the API: https://docs.stripe.com/changelog"""

from fake_stripe.errors import refused_before_running
from fake_stripe.store import Json

NEW_UI_MODES_SINCE = "2026-03-25"
NO_METHOD_TYPES_SINCE = "2026-09-30"
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
