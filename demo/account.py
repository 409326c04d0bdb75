"""Prepare the demo's Stripe account: the sample products, and no webhook endpoint but the shop's."""

from __future__ import annotations

from config.stripe_events import EVENTS
from demo.catalog import SAMPLES, Sample
from demo.stripe_api import Json, StripeApi

CURRENCY, OTHER = "usd", "eur"


def amounts(unit_amount: int) -> Json:
    """A price in both currencies, in whole euros."""
    euros = round(unit_amount * 0.92, -2)
    option = {"unit_amount": int(euros) or unit_amount}
    return {"currency": CURRENCY, "unit_amount": unit_amount, "currency_options": {OTHER: option}}


def prepare(stripe: StripeApi, *, image_origin: str, webhook_url: str) -> None:
    """Add the sample products to an empty account; after a start on other ports, update the addresses in it."""
    existing = {product["id"]: product for product in stripe.get("/v1/products", limit="100")["data"]}
    if not existing:
        for sample in SAMPLES:
            enter(stripe, sample, image_origin)
    for sample in SAMPLES:
        move_images(stripe, existing.get(sample.id), sample, image_origin)
    keep_one_endpoint(stripe, webhook_url)


def enter(stripe: StripeApi, sample: Sample, image_origin: str) -> None:
    product: Json = {
        "id": sample.id,
        "name": sample.name,
        "description": sample.description,
        "images": addresses(sample, image_origin),
        "metadata": sample.metadata,
    }
    if sample.price is not None:
        product["default_price_data"] = amounts(sample.price)
    stripe.post("/v1/products", product)
    for size, amount in sample.prices.items():
        price = {
            "product": sample.id,
            **amounts(amount),
            "metadata": {"size": size},
        }
        stripe.post("/v1/prices", price)


def move_images(stripe: StripeApi, product: Json | None, sample: Sample, image_origin: str) -> None:
    """Update the port in the URLs of the demo's own images; images that were set by hand stay."""
    if product is None or product["images"] == addresses(sample, image_origin):
        return
    if all(address.startswith("http://127.0.0.1:") for address in product["images"]):
        stripe.post(f"/v1/products/{sample.id}", {"images": addresses(sample, image_origin)})


def addresses(sample: Sample, image_origin: str) -> list[str]:
    return [image_origin + path for path in sample.image_paths()]


def keep_one_endpoint(stripe: StripeApi, webhook_url: str) -> None:
    """Give the shop's endpoint the events that it handles, and delete those of earlier runs on other ports.

    Stripe would retry the others for days.
    """
    for endpoint in stripe.get("/v1/webhook_endpoints", limit="100")["data"]:
        path = f"/v1/webhook_endpoints/{endpoint['id']}"
        if endpoint["url"] == webhook_url:
            stripe.post(path, {"enabled_events": list(EVENTS)})
        else:
            stripe.delete(path)
