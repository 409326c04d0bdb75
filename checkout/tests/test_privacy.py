"""Personal data: each field is listed, export finds it, erase empties it, and no log line has it."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from checkout.models import CustomerMail, CustomerRequest, Order, OrderLookup
from checkout.order_links import order_path, order_token
from checkout.orders import customer_requests, lookup, shipping
from checkout.orders.customer_requests import ReturnedUnits
from checkout.privacy import erasure
from checkout.tests.conftest import Customer, deliver, order_for
from config.logs import LineFormatter
from fake_stripe import FakeStripe
from inventory import issues
from inventory.models import Issue, StripeEvent
from shop.models import Product

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]
TEXTS = (
    models.CharField,
    models.TextField,
    models.JSONField,
    models.GenericIPAddressField,
    models.BinaryField,
)

# Fields that hold data of customers.
OF_CUSTOMERS = {
    "checkout.Order": "email name phone address client_network cart_token fingerprint session_params session_url "
    "session_id payment_intent_id tracking_number",
    "checkout.Refund": "note",
    "checkout.CustomerRequest": "message answer closing_answer",
    "checkout.OrderLookup": "email number email_digest network",
    "checkout.CustomerMail": "to context headers subject body last_error",
    "checkout.RestockSubscriber": "email email_key",
    "checkout.RestockSignup": "client_network",
    "inventory.StripeEvent": "payload",
    "inventory.Issue": "text",
    "sessions.Session": "session_data",
}
# Fields that hold data of people who work at the shop, and of those who try to log in.
OF_STAFF = {
    "auth.User": "username first_name last_name email password",
    "admin.LogEntry": "object_repr change_message",
    "axes.AccessFailureLog": "user_agent ip_address username http_accept path_info",
    "axes.AccessAttempt": "user_agent ip_address username http_accept path_info get_data post_data",
    "axes.AccessLog": "user_agent ip_address username http_accept path_info session_hash",
    "otp_totp.TOTPDevice": "name key",
    "otp_static.StaticDevice": "name",
    "otp_static.StaticToken": "token",
    "checkout.Order": "packed_by sent_by",
    "checkout.Refund": "requested_by",
    "checkout.CustomerRequest": "decided_by closed_by",
    "inventory.Movement": "actor reason",
    "inventory.OversoldDecision": "actor reason",
}
# Fields that hold no personal data. "*": all that are not named above.
OTHERS = {
    "admin.LogEntry": "object_id",
    "auth.Permission": "*",
    "auth.Group": "*",
    "contenttypes.ContentType": "*",
    "sessions.Session": "session_key",
    "shop.Product": "*",
    "shop.SizeGuide": "*",
    "shop.Storefront": "*",
    "shop.ShippingRate": "*",
    "inventory.StockItem": "*",
    "inventory.Movement": "reference",
    "inventory.Hold": "reference",
    "inventory.OversoldDecision": "token",
    "inventory.StripeEvent": "id type object_id error",
    "inventory.ProductSync": "*",
    "inventory.StockUpdate": "*",
    "inventory.VersionSnapshot": "*",
    "inventory.ProcessedRequest": "*",
    "inventory.DeliveryStatus": "*",
    "inventory.Installation": "*",
    "inventory.CatalogImport": "*",
    "inventory.Issue": "subject",
    "inventory.MailLock": "*",
    "inventory.Heartbeat": "*",
    "checkout.Order": "currency presentment_currency carrier language",
    "checkout.OrderLine": "name size color currency price_id external_reference",
    "checkout.Refund": "token stripe_id error",
    "checkout.CustomerMail": "kind reference language lease_holder",
    "checkout.MailText": "*",
    "checkout.RestockSubscriber": "language",
    "checkout.SalesSummary": "*",
}

# Ada, as she stands in what Stripe sends.
EMAIL, NAME, STREET, PHONE = "ada@example.com", "Ada Lovelace", "12 Analytical Row", "+15550100"
MESSAGE = "I ordered the wrong size, sorry"
PERSONAL = (EMAIL, NAME, STREET, PHONE, MESSAGE)


def text_fields() -> dict[str, set[str]]:
    """The fields of each model that can hold any text."""
    return {
        model._meta.label: {
            field.name
            for field in model._meta.concrete_fields
            if isinstance(field, TEXTS) and not field.choices and not field.is_relation
        }
        for model in apps.get_models()
    }


def stored() -> dict[str, str]:
    """All that the database holds, by model and field."""
    found: dict[str, str] = {}
    for model in apps.get_models():
        for row in model._default_manager.all():
            for field in model._meta.concrete_fields:
                value = json.dumps(field.value_from_object(row), default=str, ensure_ascii=False)
                key = f"{model._meta.label}.{field.name}"
                found[key] = found.get(key, "") + value
    return found


def holding(*texts: str) -> set[str]:
    """The fields in which one of the texts stands."""
    return {
        key for key, value in stored().items() if any(text.casefold() in value.casefold() for text in texts)
    }


@pytest.fixture(autouse=True)
def mails_on(settings: Settings) -> None:
    settings.CUSTOMER_MAILS_OFF = []
    settings.COLLECT_PHONE_NUMBER = True
    settings.SHIPPING_COUNTRIES = ["US"]


@pytest.fixture
def order(fake: FakeStripe, shirt: Product) -> Order:
    return buy(fake, shirt)


def buy(fake: FakeStripe, shirt: Product, email: str = EMAIL) -> Order:
    order = order_for(Customer(), shirt, "M", 1)
    address = {"line1": STREET, "city": "Sampleton", "postal_code": "94103", "state": "CA", "country": "US"}
    fake.pay(order.session_id or "", email=email, name=NAME, phone=PHONE, address=address)
    deliver(fake)
    order.refresh_from_db()
    return order


def finish(order: Order) -> None:
    """The whole journey: a cancellation that is declined, the parcel, a return, a look-up, and a failed mail."""
    now = timezone.now()
    asked = customer_requests.ask(order.pk, CustomerRequest.Kind.CANCEL, message=MESSAGE, now=now)
    customer_requests.decline(asked.pk, answer=f"Dear {NAME}, it is packed.", actor="owner", now=now)
    shipping.mark_sent(order.pk, carrier="dhl", tracking_number="JD0140", actor="owner", now=now)
    units = [ReturnedUnits(order.lines.get().pk, 1, "too_small")]
    asked = customer_requests.ask(
        order.pk, CustomerRequest.Kind.RETURN, units=units, message=MESSAGE, now=now
    )
    customer_requests.accept(asked.pk, answer="Please send it back.", actor="owner", now=now)
    customer_requests.close_return(asked.pk, answer=f"Dear {NAME}, it is lost.", actor="owner", now=now)
    lookup.look_up(order.email, order.number, network="192.0.2.1", now=now)
    lookup.answer_lookups(now)
    mails = CustomerMail.objects.filter(order=order)
    mails.update(state=CustomerMail.State.SENT, body=f"Dear {NAME}", last_error=f"550 {EMAIL}")
    issues.open_issue(
        Issue.Kind.CUSTOMER_MAIL, order.number, "Refused: %(error)s", error=f"<{EMAIL}> unknown"
    )


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


# --- The list ---------------------------------------------------------------------------------


def test_each_field_that_can_hold_text_is_listed_as_personal_or_not() -> None:
    unlisted, gone = set(), set()
    for label, fields in text_fields().items():
        named = [table.get(label, "").split() for table in (OF_CUSTOMERS, OF_STAFF, OTHERS)]
        known = set().union(*named)
        unlisted |= {f"{label}.{field}" for field in fields - known if "*" not in known}
        gone |= {f"{label}.{field}" for field in known - fields - {"*"}}

    assert (unlisted, gone) == (set(), set())


@pytest.mark.parametrize(("heading", "table"), [("Customers", OF_CUSTOMERS), ("People who work", OF_STAFF)])
def test_the_documentation_lists_each_personal_field(heading: str, table: dict[str, str]) -> None:
    page = (ROOT / "docs/privacy.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {heading}")[1].split("\n## ")[0]
    rows = {line.split("|")[1].strip(): line for line in section.splitlines() if line.startswith("| ")}

    for label, fields in table.items():
        assert [field for field in fields.split() if f"`{field}`" not in rows.get(f"`{label}`", "")] == [], (
            label
        )


def test_personal_data_of_a_whole_journey_stands_in_listed_fields_only(order: Order) -> None:
    finish(order)

    listed = {f"{label}.{field}" for label, fields in OF_CUSTOMERS.items() for field in fields.split()}
    found = holding(*PERSONAL)
    assert found <= listed
    assert {"checkout.Order.email", "checkout.Order.address", "inventory.StripeEvent.payload"} <= found


# --- Export -----------------------------------------------------------------------------------


def test_the_export_has_all_that_is_stored_about_the_customer_and_nothing_of_others(
    fake: FakeStripe, shirt: Product, order: Order
) -> None:
    other = buy(fake, shirt, "eve@example.com")
    finish(order)

    data = json.loads(run("export_customer", "ADA@example.com"))

    text = json.dumps(data, ensure_ascii=False)
    assert [each["id"] for each in data["orders"]] == [str(order.pk)]
    assert all(each in text for each in PERSONAL)
    assert data["orders"][0]["requests"][0]["message"] == MESSAGE
    assert len(data["mails"]) == CustomerMail.objects.filter(order=order).count() > 0
    assert len(data["look_ups"]) == 1 and len(data["issues"]) == 1
    assert {each["type"] for each in data["stripe_events"]} >= {
        "checkout.session.completed",
        "charge.succeeded",
    }
    assert "eve@example.com" not in text and str(other.pk) not in text


def test_the_export_is_written_to_a_file_that_only_its_owner_reads(order: Order, tmp_path: Path) -> None:
    file = tmp_path / "ada.json"

    assert EMAIL not in run("export_customer", EMAIL, "--output", str(file))

    assert json.loads(file.read_text())["orders"] and file.stat().st_mode & 0o077 == 0


def test_an_unknown_address_has_an_empty_export(db: None) -> None:
    data = json.loads(run("export_customer", "nobody%@example.com"))

    assert {key: value for key, value in data.items() if value} == {"email": "nobody%@example.com"}


# --- Erase ------------------------------------------------------------------------------------


def test_without_yes_nothing_is_erased(order: Order) -> None:
    finish(order)
    before = stored()

    assert "keeps name and address" in run("erase_customer", EMAIL)

    assert stored() == before


def test_an_erased_customer_leaves_only_what_the_invoice_needs(
    fake: FakeStripe, shirt: Product, order: Order
) -> None:
    other = buy(fake, shirt, "eve@example.com")
    finish(order)
    lookup.look_up(other.email, other.number, network="", now=timezone.now())
    lookup.answer_lookups(timezone.now())

    run("erase_customer", EMAIL.upper(), "--yes")

    order.refresh_from_db()
    other.refresh_from_db()
    assert holding(EMAIL, MESSAGE, "JD0140") == set()
    assert (order.name, order.address["line1"], order.phone) == (NAME, STREET, "")
    assert (order.total, order.state) == (2500, "paid") and order.lines.get().quantity == 1
    assert (other.email, other.phone, other.name) == ("eve@example.com", PHONE, NAME)
    assert {mail.order for mail in CustomerMail.objects.all()} == {other}
    assert OrderLookup.objects.get().email_digest == lookup.digest_of(other.email)


def test_once_the_invoice_may_go_nothing_personal_is_left(order: Order, settings: Settings) -> None:
    finish(order)
    settings.INVOICE_DATA_DAYS = 0

    assert "loses all personal data" in run("erase_customer", EMAIL, "--yes")

    assert holding(*PERSONAL, "JD0140") == set()


def test_an_order_that_is_not_sent_keeps_what_it_needs(order: Order) -> None:
    text = run("erase_customer", EMAIL, "--yes")

    order.refresh_from_db()
    assert "keeps all, because it is not finished" in text
    assert (order.email, order.name, order.phone) == (EMAIL, NAME, PHONE)
    assert STREET in json.dumps(list(StripeEvent.objects.values_list("payload", flat=True)))


@pytest.mark.parametrize("state", [StripeEvent.State.WAITING, StripeEvent.State.FAILED])
def test_nothing_is_erased_while_an_event_or_a_mail_waits(order: Order, state: str) -> None:
    finish(order)
    StripeEvent.objects.filter(type="charge.succeeded").update(state=state)
    CustomerMail.objects.filter(kind="order_link").update(state=CustomerMail.State.QUEUED)
    before = stored()

    with pytest.raises(CommandError, match="2 events or mails"):
        run("erase_customer", EMAIL, "--yes")

    assert stored() == before


def test_the_link_of_an_erased_order_shows_no_name(order: Order, settings: Settings) -> None:
    finish(order)
    settings.INVOICE_DATA_DAYS = 0
    run("erase_customer", EMAIL, "--yes")

    page = Client().get(order_path(order)).content.decode()
    assert order.number in page and not any(text in page for text in PERSONAL)


def test_stripes_keys_are_emptied_wherever_they_stand() -> None:
    payload = {"data": {"object": {"id": "cs_1", "customer_details": {"name": NAME}, "note": f"to {EMAIL}"}}}

    assert erasure.without_personal_data({"list": [payload]}, EMAIL.upper()) == {
        "list": [{"data": {"object": {"id": "cs_1", "customer_details": None, "note": "(erased)"}}}]
    }


# --- By age -----------------------------------------------------------------------------------


def later(days: int) -> Any:
    return timezone.now() + timedelta(days=days)


def test_by_default_nothing_is_erased_by_age(order: Order) -> None:
    finish(order)

    assert erasure.erase_old(later(10_000)) == 0
    order.refresh_from_db()
    assert order.email == EMAIL


def test_what_reaches_the_customer_goes_first_and_the_invoice_later(order: Order, settings: Settings) -> None:
    settings.CUSTOMER_DATA_DAYS, settings.INVOICE_DATA_DAYS = 100, 1000
    finish(order)

    assert erasure.erase_old(later(99)) == 0
    assert [erasure.erase_old(later(101)), erasure.erase_old(later(101))] == [1, 0]
    order.refresh_from_db()
    assert (order.email, order.phone, order.name) == ("", "", NAME)
    assert not CustomerMail.objects.exists() and "checkout.CustomerRequest.message" not in holding(MESSAGE)

    assert [erasure.erase_old(later(1001)), erasure.erase_old(later(1001))] == [1, 0]
    order.refresh_from_db()
    assert (order.name, order.address) == ("", {})


def test_an_order_that_waits_is_not_erased_by_age(order: Order, settings: Settings) -> None:
    settings.CUSTOMER_DATA_DAYS = 1

    assert erasure.erase_old(later(10)) == 0
    order.refresh_from_db()
    assert order.email == EMAIL


# --- Logs -------------------------------------------------------------------------------------


def test_no_log_line_of_a_whole_journey_names_the_customer_or_has_a_link(
    fake: FakeStripe, shirt: Product, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    order = buy(fake, shirt)
    owner = Client(raise_request_exception=False)
    owner.force_login(User.objects.create_superuser("owner"))
    owner.get(reverse("admin:checkout_order_change", args=[order.pk]))
    customer = Client(enforce_csrf_checks=True)
    customer.get(order_path(order))
    customer.post(
        reverse("order_cancel", args=[order_token(order)]), {"message": MESSAGE}
    )  # 403, which is logged.
    customer.put(order_path(order))  # 405
    Client().post(reverse("order_find"), {"email": EMAIL, "number": order.number})
    finish(order)
    deliver(fake)
    run("erase_customer", EMAIL, "--yes")

    lines = [LineFormatter().format(record) for record in caplog.records]
    assert any("Forbidden" in line and "(signed)" in line for line in lines)
    assert [line for line in lines if any(text in line for text in PERSONAL)] == []
    assert [line for line in lines if order_token(order)[:22] in line] == []
