"""Structured data for search engines: products with an offer per size, breadcrumbs and the shop itself.

Availability comes from shop.availability, as on the page. Counts are left out.
References: https://developers.google.com/search/docs/appearance/structured-data/product-variants
"""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from shop.availability import ProductAvailability, StockStatus
from shop.feeds.ids import group_id
from shop.feeds.rows import CatalogRow, catalog_rows
from shop.money import decimal_text
from shop.storefront import StorefrontContext

# Text from Stripe must not close the script element.
ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}
SCHEMA = "https://schema.org/"
AVAILABILITY = {StockStatus.AVAILABLE: "InStock", StockStatus.FEW: "LimitedAvailability"}
CONDITIONS = {"new": "NewCondition", "refurbished": "RefurbishedCondition", "used": "UsedCondition"}
GENDERS = {"female": "Female", "male": "Male", "unisex": "Unisex"}
# Ages in years, from and to: https://schema.org/suggestedAge has no names for the groups of feeds.
AGES = {"newborn": (0, 0.25), "infant": (0.25, 1), "toddler": (1, 5), "kids": (5, 13), "adult": (13, None)}
RETURNS_ID, SHIPPING_ID = "#returns", "#shipping"

Json = dict[str, Any]


def product_graph(availability: ProductAvailability, storefront: StorefrontContext) -> SafeString:
    product = availability.product
    nodes: list[Json] = []
    if rows := [row for row in catalog_rows(availability, storefront) if row.price_text]:
        policies = [*_shipping(storefront), *_returns(storefront, rows[0].product.return_days)]
        nodes = [_product(rows, availability, policies), *policies]
    crumbs = [(str(_("All products")), reverse("product_list"))]
    if product.category:
        crumbs.append((capfirst(product.category), reverse("category", args=[product.category_slug])))
    crumbs.append((product.shown_name, product.get_absolute_url()))
    steps = [
        {"@type": "ListItem", "position": place, "name": name, "item": settings.SITE_URL + path}
        for place, (name, path) in enumerate(crumbs, 1)
    ]
    nodes.append({"@type": "BreadcrumbList", "itemListElement": steps})
    return _script(nodes)


def shop_graph(storefront: StorefrontContext) -> SafeString:
    organization = {
        "@type": "OnlineStore",
        "@id": f"{settings.SITE_URL}/#shop",
        "name": storefront.name,
        "url": f"{settings.SITE_URL}/",
        "logo": storefront.logo,
        "description": storefront.settings.tagline,
        "hasMerchantReturnPolicy": next(iter(_returns(storefront, storefront.settings.return_days)), None),
    }
    return _script([_filled(organization)])


def _script(nodes: list[Json]) -> SafeString:
    graph = {"@context": "https://schema.org", "@graph": nodes}
    # Without spaces, because a page with all that it loads shall stay below 60 KB.
    text = json.dumps(graph, ensure_ascii=False, separators=(",", ":"))
    return mark_safe(text.translate(ESCAPES))  # noqa: S308


def _product(rows: list[CatalogRow], availability: ProductAvailability, policies: list[Json]) -> Json:
    # A ProductGroup with a Product per size, or one Product where there are no sizes.
    product, shared = availability.product, rows[0].product
    common = {
        "name": product.shown_name,
        "description": product.shown_description or product.details,
        "url": shared.url,
        "image": product.images,
        "brand": {"@type": "Brand", "name": shared.brand} if shared.brand else None,
        "category": product.category,
        # Colors share a count and a price, so only a product that comes in one color has a color here.
        "color": shared.color,
        "audience": _audience(shared.gender, shared.age_group),
    }
    if not product.sizes:
        return _filled({"@type": "Product", **common, **_variant(rows[0], policies)})
    variants = [
        _filled(
            {
                "@type": "Product",
                "name": row.title,
                "size": row.size,
                "image": product.images[:1],
                **_variant(row, policies),
            }
        )
        for row in rows
    ]
    group = {
        "@type": "ProductGroup",
        "productGroupID": group_id(product.id),
        "variesBy": [f"{SCHEMA}size"],
        **common,
        "hasVariant": variants,
    }
    return _filled(group)


def _variant(row: CatalogRow, policies: list[Json]) -> Json:
    offer: Json = {
        "@type": "Offer",
        "url": row.url,
        "price": row.price_text,
        "priceCurrency": row.currency.upper(),
        "availability": SCHEMA + AVAILABILITY.get(row.stock, "OutOfStock"),
        "itemCondition": SCHEMA + CONDITIONS[row.product.condition],
    }
    for policy in policies:
        name = "shippingDetails" if policy["@id"] == SHIPPING_ID else "hasMerchantReturnPolicy"
        offer[name] = {"@id": policy["@id"]}
    return {"sku": row.id, "gtin": row.gtin, "mpn": row.mpn, "offers": offer}


def _audience(gender: str, age_group: str) -> Json | None:
    if not gender and not age_group:
        return None
    youngest, oldest = AGES.get(age_group, (None, None))
    age = {"@type": "QuantitativeValue", "minValue": youngest, "maxValue": oldest, "unitCode": "ANN"}
    return {
        "@type": "PeopleAudience",
        **({"suggestedGender": GENDERS[gender]} if gender else {}),
        **(
            {"suggestedAge": {name: value for name, value in age.items() if value is not None}}
            if age_group
            else {}
        ),
    }


def _shipping(storefront: StorefrontContext) -> list[Json]:
    # The cheapest way of shipping, which is the same for every country that the shop ships to. Google requires a time:
    # https://developers.google.com/search/docs/appearance/structured-data/merchant-listing
    rate = min(storefront.shipping_rates or (), key=lambda rate: rate.amount, default=None)
    if rate is None or not rate.delivery_days:
        return []
    least, most = rate.delivery_days
    transit = {"@type": "QuantitativeValue", "minValue": least, "maxValue": most, "unitCode": "DAY"}
    time = {name: value for name, value in transit.items() if value is not None}
    regions = [{"@type": "DefinedRegion", "addressCountry": code} for code in settings.SHIPPING_COUNTRIES]
    amount = {
        "@type": "MonetaryAmount",
        "value": decimal_text(rate.amount, rate.currency),
        "currency": rate.currency.upper(),
    }
    return [
        {
            "@type": "OfferShippingDetails",
            "@id": SHIPPING_ID,
            "shippingRate": amount,
            "shippingDestination": regions,
            "deliveryTime": {"@type": "ShippingDeliveryTime", "transitTime": time},
        }
    ]


def _returns(storefront: StorefrontContext, days: int | None) -> list[Json]:
    # The return policy, if the owner has set one. Search engines require the countries that it applies to.
    if days is None or not settings.SHIPPING_COUNTRIES:
        return []
    policy: Json = {
        "@type": "MerchantReturnPolicy",
        "@id": RETURNS_ID,
        "applicableCountry": list(settings.SHIPPING_COUNTRIES),
    }
    if not days:
        return [policy | {"returnPolicyCategory": f"{SCHEMA}MerchantReturnNotPermitted"}]
    fees = "FreeReturn" if storefront.settings.free_returns else "ReturnFeesCustomerResponsibility"
    return [
        policy
        | {
            "returnPolicyCategory": f"{SCHEMA}MerchantReturnFiniteReturnWindow",
            "merchantReturnDays": days,
            "returnMethod": f"{SCHEMA}ReturnByMail",
            "returnFees": SCHEMA + fees,
        }
    ]


def _filled(values: Json) -> Json:
    return {name: value for name, value in values.items() if value}
