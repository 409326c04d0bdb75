"""What does the owner see at the fake's Dashboard? Products and their metadata, which may be edited."""

from html import escape
from typing import TYPE_CHECKING

from fake_stripe.errors import StripeError
from fake_stripe.store import Json
from fake_stripe.web import PageAnswer, PageRequest, html, see_other

if TYPE_CHECKING:
    from fake_stripe.fake import FakeStripe


def show(fake: "FakeStripe", request: PageRequest) -> PageAnswer:
    """GET /dashboard"""
    forms = "".join(_product(product) for product in fake.products.values())
    return html(_page(forms or "<p>No products yet.</p>"))


def save_product(fake: "FakeStripe", request: PageRequest) -> PageAnswer:
    """POST /dashboard/products/<id>: only the keys whose text was changed are saved."""
    changed = {}
    for key, value in zip(request.form.get("key", []), request.form.get("value", []), strict=False):
        if key:
            changed[key] = value
    try:
        fake.dashboard.edit_product(request.args["product"], metadata=changed)
    except StripeError as error:
        return html(_page(f'<p role="alert">{escape(error.message)}</p>'), error.status)
    return see_other("/dashboard")


def _product(product: Json) -> str:
    rows = "".join(_row(key, value) for key, value in product["metadata"].items()) + _row("", "")
    return (
        f'<h2>{escape(product["name"])}</h2><form method="post" action="/dashboard/products/{product["id"]}">'
        f"{rows}<button>Save</button></form>"
    )


def _row(key: str, value: str) -> str:
    return (
        f'<p><input name="key" aria-label="Key" value="{escape(key)}"> '
        f'<input name="value" aria-label="Value" value="{escape(value)}"></p>'
    )


def _page(content: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Fake dashboard</title>'
        f"<h1>Dashboard <small>(this is not Stripe)</small></h1>{content}</html>"
    )
