"""Every setting wrong in turn: empty, quoted, with blanks and line ends, of another form. One sentence tells it."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import sentry
from config.tests.settings_run import COMPLETE, read_settings
from config.tests.test_env_example import variables_that_settings_read

KEY = "sk_test_secret"
# A valid value of each setting, and values of another form.
SETTINGS: dict[str, tuple[str, list[str]]] = {
    "AGENT_CATALOG": ("show", ["on", "show,off"]),
    "SHOP_LANGUAGES": ("de,en", ["xx", "EN", "en de"]),
    "ALLOWED_HOSTS": ("shop.example,www.shop.example", ["https://shop.example", "shop.example:8000", "a b"]),
    "ALLOWED_IMAGE_ORIGINS": ("https://cdn.example", ["cdn.example", "https://cdn.example; script-src *"]),
    "ALLOW_PROMOTION_CODES": ("True", ["maybe", "2"]),
    "CACHE_URL": ("locmemcache://", ["foo", "foo://bar"]),
    "CHECKOUTS_PER_ADDRESS_AND_HOUR": ("5", ["0", "-1", "5.5", "٣"]),
    "CHECKOUT_EXPIRES_MINUTES": ("50", ["30", "1436", "an hour"]),
    "COLLECT_PHONE_NUMBER": ("yes", ["maybe"]),
    "CONN_MAX_AGE": ("5", ["-1", "None"]),
    "CUSTOMER_DATA_DAYS": ("730", ["-1", "two years"]),
    "CUSTOMER_MAILS_OFF": ("order_confirmation,order_sent", ["Order Confirmation", "order-sent"]),
    "DATABASE_URL": ("postgres://u:p@h/name", ["foo", "mysql://u:p@h/name", "postgres://u:p@h", "postgres://u:p@h:x/n"]),
    "DEBUG": ("on", ["maybe", "TRUE FALSE"]),
    "DEFAULT_FROM_EMAIL": ("Shop <shop@shop.example>", ["My Shop", "a@b;c@d.example"]),
    "EMAIL_CONNECTIONS": ("5", ["0", "101", "many"]),
    "EMAIL_URL": ("smtp+tls://u:p@mail.example:587", ["foo", "smtp+tls://", "mail.example"]),
    "HOLD_MINUTES_IN_A_ROW": ("90", ["0", "x"]),
    "HOLD_RUSH_PERCENT": ("30", ["101", "-1", "30%"]),
    "INVOICE_DATA_DAYS": ("3653", ["-1", "ten years"]),
    "LOG_FORMAT": ("json", ["xml"]),
    "LOG_LEVEL": ("DEBUG", ["LOUD", "10"]),
    "LOW_STOCK_THRESHOLD": ("3", ["-1", "few"]),
    "MAX_UNITS_PER_CART": ("50", ["0", "ten"]),
    "MAX_UNITS_PER_SIZE": ("5", ["0", "1000"]),
    "MONITORING_TOKEN": ("a-long-random-text", ["two words"]),
    "OPEN_CHECKOUTS_PER_ADDRESS": ("5", ["0", "x"]),
    "ORDER_LINK_DAYS": ("30", ["0", "a week"]),
    "OWNER_EMAIL": ("a@shop.example, Ada <b@shop.example>", ["owner", "a@shop.example;b@shop.example"]),
    "RESTOCK_CONFIRM_DAYS": ("7", ["0", "soon"]),
    "RESTOCK_SIGNUPS": ("False", ["maybe"]),
    "RESTOCK_SIGNUPS_PER_ADDRESS_AND_HOUR": ("5", ["0", "x"]),
    "RESTOCK_WAIT_DAYS": ("90", ["0", "a year"]),
    "RESTOCK_WAVE_MINUTES": ("30", ["-1", "an hour"]),
    "RETURN_DAYS": ("14", ["-1", "14 days"]),
    "SECRET_KEY": ("a long random text", []),
    "SECRET_KEY_FALLBACKS": ("the-old-key,an-older-one", []),
    "SECOND_FACTOR_REQUIRED": ("True", ["staff"]),
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": ("True", ["x"]),
    "SECURE_HSTS_PRELOAD": ("True", ["x"]),
    "SECURE_HSTS_SECONDS": ("3600", ["-1", "1 year"]),
    "SECURE_SSL_REDIRECT": ("True", ["x"]),
    "SENTRY_DSN": ("https://key@sentry.example/1", ["key@sentry.example/1", "https://sentry.example/1", "https://key@sentry.example/"]),
    "SHIPPING_COUNTRIES": ("US,DE", ["USA", "US;DE", "U1"]),
    "SHIPPING_RATES": ("shr_1,shr_2", ["free", "shr_1 shr_2", "price_1"]),
    "SHOP_CURRENCIES": ("eur,gbp", ["euro", "eur;gbp", "€"]),
    "SHOP_CURRENCY": ("eur", ["euro", "€", "us"]),
    "SHOP_NAME": ("Balm & Sons", ["Balm\nSons", "Balm\x1b[31m"]),
    "SITE_URL": (
        "https://shop.example",
        ["shop.example", "ftp://shop.example", "https://shop.example/shop", "https://shop.example:port", "https://a b"],
    ),
    "STAFF_SESSION_HOURS": ("8", ["0", "a day"]),
    "STATIC_ROOT": ("/var/lib/shop/static", ["/var\n/lib"]),
    "STRIPE_API_BASE": ("http://127.0.0.1:12111", ["api.stripe.com", "ftp://api.stripe.com"]),
    "STRIPE_AUTOMATIC_TAX": ("True", ["19"]),
    "STRIPE_CHECKOUT_ORIGIN": ("https://pay.shop.example", ["pay.shop.example", "https://pay.example *"]),
    "STRIPE_DASHBOARD": ("http://127.0.0.1:12111/dashboard", ["dashboard.stripe.com", "javascript:alert(1)"]),
    "STRIPE_READ_ONLY": ("True", ["maybe"]),
    "STRIPE_SECRET_KEY": (KEY, ["pk_test_x", "whsec_x", "sk_x", "sk_test_", f"{KEY} {KEY}"]),
    "STRIPE_WEBHOOK_MAX_BYTES": ("1000", ["0", "1 MB"]),
    "STRIPE_WEBHOOK_SECRET": ("whsec_one,whsec_two", [KEY, "whsec_", "whsec_one whsec_two"]),
    "STRIPE_WEBHOOK_TOLERANCE": ("300", ["0", "5 minutes"]),
    "TIME_ZONE": ("Europe/Berlin", ["Mars/X", "../etc/passwd"]),
    "TRUSTED_PROXIES": ("127.0.0.1,10.0.0.0/8,unix", ["proxy", "10.0.0.0/33", "1.2.3.4;5.6.7.8"]),
    "TRUST_X_FORWARDED_PROTO": ("True", ["https"]),
}  # fmt: skip
SECRETS = {
    "SECRET_KEY",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "MONITORING_TOKEN",
    "DATABASE_URL",
    "EMAIL_URL",
    "SENTRY_DSN",
}
EXAMPLES = {"STRIPE_WEBHOOK_SECRET": "whsec_...", "EMAIL_URL": "smtp+tls://user:password@host:587"}
WRONG = [(name, value) for name, (_valid, others) in SETTINGS.items() for value in others]


@pytest.fixture(autouse=True)
def nothing_else_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    # It would go on reporting the errors of other tests.
    monkeypatch.setattr(sentry, "start", lambda dsn: None)


def refusal() -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        read_settings()
    return str(caught.value)


def test_the_table_has_every_setting() -> None:
    assert sorted(SETTINGS) == sorted(variables_that_settings_read())


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_value_of_another_form_is_told_in_one_sentence(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    sentence = refusal()

    assert sentence.startswith(f"{name} must ") and sentence.endswith(".")
    assert sentence.isprintable()
    assert name not in SECRETS or value not in sentence.replace(EXAMPLES.get(name, ""), "")


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_are_told(name: str, quote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, f"{quote}{SETTINGS[name][0]}{quote}")

    assert refusal() == f"{name} must not be in quotes."


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("form", ["  {}  ", "{}\n", "{}\r\n", "\t{}"])
def test_blanks_and_line_ends_around_a_value_change_nothing(
    name: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, SETTINGS[name][0])
    plain = read_settings()
    monkeypatch.setenv(name, form.format(SETTINGS[name][0]))

    assert read_settings() == plain


@pytest.mark.parametrize("name", sorted(SETTINGS.keys() - {"SECRET_KEY"}))
@pytest.mark.parametrize("value", ["", "   ", "\n"])
def test_an_empty_value_means_the_default(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    default = read_settings()
    monkeypatch.setenv(name, value)

    assert read_settings() == default


@pytest.mark.parametrize("value", ["", "   ", "\n"])
def test_an_empty_secret_key_is_told(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", value)

    assert refusal().startswith("SECRET_KEY is not set: ")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_file_that_cannot_be_read_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{name}_FILE", "/no/such/file")

    assert refusal() == f"{name}_FILE must name a readable file, not '/no/such/file'."
