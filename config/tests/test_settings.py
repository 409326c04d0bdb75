"""Settings from the environment: defaults, secrets in files, URLs and invalid values."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env
from config.tests.settings_run import COMPLETE, manage, read_settings, refusal_with, settings_with

A_KEY = "a secret or restricted key (sk_... or rk_...)"
SIGNING_SECRETS = "a signing secret (whsec_...) or several, separated by commas"


def test_a_missing_secret_key_is_reported_in_one_line() -> None:
    sentence = refusal_with(SECRET_KEY="")

    assert sentence.startswith("SECRET_KEY is not set: ")
    assert "script/demo" in sentence
    assert len(sentence.strip().splitlines()) == 1


def test_the_defaults_are_safe() -> None:
    shown = settings_with("DEBUG", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS", "ALLOWED_HOSTS")

    assert shown == {
        "DEBUG": False,
        "STRIPE_SECRET_KEY": "",
        "STRIPE_WEBHOOK_SECRETS": [],
        "ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"],
    }


@pytest.mark.parametrize("name", ["SECRET_KEY", "STRIPE_SECRET_KEY"])
def test_a_secret_in_a_file_is_stripped(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("  sk_test_from_a_file\n")

    shown = settings_with(name, **{f"{name}_FILE": str(file)})

    assert shown == {name: "sk_test_from_a_file"}


def test_white_space_around_a_value_is_ignored() -> None:
    shown = settings_with(
        "SITE_URL", "SHOP_CURRENCY", SITE_URL=" https://shop.example/\n", SHOP_CURRENCY="eur\n"
    )

    assert shown == {"SITE_URL": "https://shop.example", "SHOP_CURRENCY": "eur"}


def test_several_webhook_secrets_are_valid_at_once() -> None:
    shown = settings_with("STRIPE_WEBHOOK_SECRETS", STRIPE_WEBHOOK_SECRET="whsec_old, whsec_new,")

    assert shown["STRIPE_WEBHOOK_SECRETS"] == ["whsec_old", "whsec_new"]


@pytest.mark.parametrize("name", ["SECRET_KEY", "STRIPE_SECRET_KEY"])
def test_a_dollar_in_a_secret_is_not_expanded(name: str) -> None:
    assert settings_with(name, **{name: "sk_test_$ecret"}) == {name: "sk_test_$ecret"}


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("SHIPPING_COUNTRIES", "USA,Germany", "be a list such as US,DE, not 'USA'"),
        ("SHOP_CURRENCY", "US", "look like usd, not 'US'"),
        ("STRIPE_WEBHOOK_TOLERANCE", "-5", "be a whole number of 1 or more, not '-5'"),
        ("DEBUG", "maybe", "be True or False, not 'maybe'"),
        ("LOW_STOCK_THRESHOLD", "x", "be a whole number of 0 or more, not 'x'"),
        ("TIME_ZONE", "Mars/X", "be the name of a time zone such as Europe/Berlin, not 'Mars/X'"),
        ("TIME_ZONE", "../etc", "be the name of a time zone such as Europe/Berlin, not '../etc'"),
        ("DATABASE_URL", "foo", "look like postgres://user:password@host/name"),
        ("DATABASE_URL", "mysql://u:secret@h/name", "look like postgres://user:password@host/name"),
        ("DATABASE_URL", "postgres://u:secret@h:port/x", "look like postgres://user:password@host/name"),
        ("EMAIL_URL", "foo", "look like smtp+tls://user:password@host:587"),
        ("CACHE_URL", "foo", "look like locmemcache:// or redis://host:6379/0"),
        ("OWNER_EMAIL", "owner", "be a list of mail addresses such as you@your.shop, not 'owner'"),
        (
            "OWNER_EMAIL",
            "a@example.com;b@example.com",
            "be a list of mail addresses such as you@your.shop, not 'a@example.com;b@example.com'",
        ),
        ("DEFAULT_FROM_EMAIL", "My Shop", "be a list of mail addresses such as you@your.shop, not 'My Shop'"),
        ("LOG_LEVEL", "LOUD", "be DEBUG, INFO, WARNING or ERROR, not 'LOUD'"),
        ("ENV_FILE", "/no/such/.env", "name an existing file, not '/no/such/.env'"),
        ("SITE_URL", "'https://shop.example'", "not be in quotes"),
        ("STRIPE_SECRET_KEY", '"sk_test_x"', "not be in quotes"),
        ("STRIPE_SECRET_KEY", "pk_live_x", f"be {A_KEY}, without blanks"),
        ("STRIPE_SECRET_KEY", "whsec_x", f"be {A_KEY}, without blanks"),
        ("STRIPE_SECRET_KEY", "sk_test_x sk_live_x", f"be {A_KEY}, without blanks"),
        ("STRIPE_WEBHOOK_SECRET", "sk_test_x", f"be {SIGNING_SECRETS}, without blanks"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_x whsec_y", f"be {SIGNING_SECRETS}, without blanks"),
        ("SECRET_KEY_FILE", "/no/such/key", "name a readable file, not '/no/such/key'"),
    ],
)
def test_an_invalid_value_is_rejected_with_a_sentence_that_names_the_variable(
    name: str, given: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, given)

    with pytest.raises(ImproperlyConfigured) as caught:
        read_settings()

    assert str(caught.value) == f"{name} must {sentence}."


def test_owner_email_may_be_a_list() -> None:
    shown = settings_with(
        "OWNER_EMAILS", "DEFAULT_FROM_EMAIL", OWNER_EMAIL="a@example.com, Ada <ada@example.com>"
    )

    assert shown == {
        "OWNER_EMAILS": ["a@example.com", "Ada <ada@example.com>"],
        "DEFAULT_FROM_EMAIL": "a@example.com",
    }


def test_only_the_error_is_printed() -> None:
    refusal = refusal_with(DATABASE_URL="foo")

    assert refusal == "DATABASE_URL must look like postgres://user:password@host/name.\n"


@pytest.mark.parametrize(
    "address", ["shop.example", "ftp://shop.example", "https://", "//shop.example", "http://["]
)
def test_an_invalid_site_url_is_rejected(address: str) -> None:
    assert (
        refusal_with(SITE_URL=address)
        == f"SITE_URL must look like https://shop.example, not {address.rstrip('/')!r}.\n"
    )


def test_site_url_sets_the_allowed_host_and_secure_cookies() -> None:
    shown = settings_with(
        "SITE_URL",
        "ALLOWED_HOSTS",
        "SESSION_COOKIE_SECURE",
        "SECURE_SSL_REDIRECT",
        SITE_URL="https://shop.example/",
    )

    assert shown == {
        "SITE_URL": "https://shop.example",
        "ALLOWED_HOSTS": ["shop.example"],
        "SESSION_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
    }


@pytest.mark.parametrize("minutes", ["30", "1436", "1440", "-5"])
def test_a_checkout_time_that_stripe_would_reject_is_rejected_at_startup(minutes: str) -> None:
    sentence = f"CHECKOUT_EXPIRES_MINUTES must be a whole number between 31 and 1435, not '{minutes}'.\n"
    assert refusal_with(CHECKOUT_EXPIRES_MINUTES=minutes) == sentence


@pytest.mark.parametrize("minutes", [31, 1435])
def test_the_shortest_and_longest_checkout_times_are_accepted(minutes: int) -> None:
    assert settings_with("CHECKOUT_EXPIRES_MINUTES", CHECKOUT_EXPIRES_MINUTES=str(minutes)) == {
        "CHECKOUT_EXPIRES_MINUTES": minutes
    }


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({"STRIPE_SECRET_KEY": "sk_test_1"}, "https://dashboard.stripe.com/test"),
        ({"STRIPE_SECRET_KEY": "rk_live_1"}, "https://dashboard.stripe.com"),
        ({"STRIPE_DASHBOARD": "http://127.0.0.1:8001/dashboard/"}, "http://127.0.0.1:8001/dashboard"),
    ],
)
def test_the_admin_links_to_the_dashboard_of_the_keys_mode(environment: dict[str, str], address: str) -> None:
    assert settings_with("STRIPE_DASHBOARD", **environment) == {"STRIPE_DASHBOARD": address}


def test_blanks_in_a_list_are_ignored() -> None:
    shown = settings_with(
        "SHIPPING_COUNTRIES", "ALLOWED_IMAGE_ORIGINS", SHIPPING_COUNTRIES="us, de,", ALLOWED_IMAGE_ORIGINS=" "
    )

    assert shown == {"SHIPPING_COUNTRIES": ["US", "DE"], "ALLOWED_IMAGE_ORIGINS": []}


def test_an_empty_number_or_flag_means_the_default() -> None:
    names = ["LOW_STOCK_THRESHOLD", "DEBUG"]

    assert settings_with(*names, LOW_STOCK_THRESHOLD="", DEBUG="") == settings_with(*names)


@pytest.mark.parametrize("address", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_a_local_shop_allows_all_loopback_names(address: str) -> None:
    shown = settings_with("ALLOWED_HOSTS", SITE_URL=address)

    assert shown == {"ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"]}


def test_https_enables_hsts_without_subdomains_and_preload() -> None:
    shown = settings_with(
        "SECURE_HSTS_SECONDS",
        "SECURE_HSTS_INCLUDE_SUBDOMAINS",
        "SECURE_HSTS_PRELOAD",
        SITE_URL="https://shop.example",
    )

    assert shown == {
        "SECURE_HSTS_SECONDS": 60 * 60 * 24 * 365,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": False,
        "SECURE_HSTS_PRELOAD": False,
    }


def test_an_empty_static_root_means_the_default() -> None:
    assert settings_with("STATIC_ROOT", STATIC_ROOT="") == settings_with("STATIC_ROOT")


def test_sqlite_uses_immediate_transactions_and_full_synchronous() -> None:
    options = settings_with("DATABASES")["DATABASES"]["default"]["OPTIONS"]

    assert options["transaction_mode"] == "IMMEDIATE"
    assert "synchronous=FULL" in options["init_command"]


def test_the_deployment_check_passes_on_postgresql() -> None:
    ran = manage(
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        ENV_FILE="",
        SECRET_KEY="a-long-and-random-text-of-more-than-fifty-characters-0123456789",
        SITE_URL="https://shop.example",
        DATABASE_URL="postgres://shop:secret@db.example/shop",
        STRIPE_SECRET_KEY="sk_live_example",
        STRIPE_WEBHOOK_SECRET="whsec_example",
        OWNER_EMAIL="owner@shop.example",
    )

    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(("new", "old"), sorted(env.OLD_NAMES.items()))
def test_an_old_name_works_and_one_line_names_the_new_one(new: str, old: str) -> None:
    value = {"ALLOWED_IMAGE_ORIGINS": "https://cdn.example", "CHECKOUT_EXPIRES_MINUTES": "50"}.get(new, "1")

    ran = manage("shell", "-c", "pass", **{**COMPLETE, old: value})

    assert ran.returncode == 0
    assert ran.stderr == f"{old} is now called {new}; the old name goes away with the next release.\n"
    assert settings_with("SECURE_PROXY_SSL_HEADER" if new.startswith("TRUST") else new, **{old: value}) == (
        settings_with("SECURE_PROXY_SSL_HEADER" if new.startswith("TRUST") else new, **{new: value})
    )


def test_a_new_name_wins_over_the_old_one() -> None:
    both = {"CHECKOUT_MINUTES": "40", "CHECKOUT_EXPIRES_MINUTES": "50"}

    assert settings_with("CHECKOUT_EXPIRES_MINUTES", **both) == {"CHECKOUT_EXPIRES_MINUTES": 50}
    ran = manage("shell", "-c", "pass", **{**COMPLETE, **both})
    assert (
        ran.stderr == "CHECKOUT_MINUTES is ignored: CHECKOUT_EXPIRES_MINUTES is set, which is its new name.\n"
    )


def test_an_old_name_with_a_bad_value_is_refused_under_its_new_name() -> None:
    assert "CHECKOUT_EXPIRES_MINUTES must be a whole number" in refusal_with(CHECKOUT_MINUTES="soon")
