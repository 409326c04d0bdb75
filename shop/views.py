"""Pages and JSON API of the shop. Stock is read from the database on every request."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from django.conf import settings
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotModified,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_safe

from config.languages import address_in
from config.stripe_client import is_configured
from shop.api import catalog_version, compressed_catalog, decompressed, uncompressed_size
from shop.context_processors import get_currency, get_storefront
from shop.filters import ProductFilter
from shop.page_cache import ProductRows, fetch_detail, fetch_list, no_cache, render_cached_page

MAX_WHOLE_ANSWER = 256 * 1024  # bytes of the JSON API; larger answers are streamed


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    currency = get_currency(request)
    rows = fetch_list(ProductFilter(currency=currency))

    def context() -> dict[str, object]:
        availabilities = rows.availabilities(currency)
        featured = [availability for availability in availabilities[:2] if availability.product.featured]
        hero, second, *_rest = *featured, None, None
        # The second featured product takes the space of four cards, so eight others fill the grid without gaps.
        return {"hero": hero, "second": second, "availabilities": availabilities[len(featured) :][:8]}

    return render_cached_page(request, "shop/home.html", rows, context, address=lambda: reverse("home"))


@require_safe
def product_list(request: HttpRequest, slug: str = "") -> HttpResponse:
    """List of all products or of one category, with search, filters and sorting from the query string."""
    categories = get_storefront(request).categories
    if slug and slug not in categories:
        raise Http404(_("Category not found."))
    product_filter = ProductFilter.read(request.GET, get_currency(request))
    if product_filter.size:
        spelling = get_storefront(request).facets_of("").spelling_of(product_filter.size)
        product_filter = replace(product_filter, size=spelling)
    rows = fetch_list(product_filter, slug)
    if product_filter.page > 1 and not rows.products:
        last_page = fetch_list(replace(product_filter, page=1), slug).pages
        return no_cache(redirect(request.path + product_filter.querystring(page=last_page)))
    return render_cached_page(
        request,
        "shop/product_list.html",
        (rows, product_filter, slug),
        lambda: {
            "product_filter": product_filter,
            "availabilities": rows.availabilities(product_filter.currency),
            "total": rows.total,
            "pages": rows.pages,
            "category": categories.get(slug, ""),
            "slug": slug,
            "is_everything": not slug,
        },
        address=lambda: (
            (reverse("category", args=[slug]) if slug else reverse("product_list"))
            + product_filter.querystring(page=product_filter.page)
        ),
    )


@require_safe
def product_detail(request: HttpRequest, product_id: str, slug: str = "") -> HttpResponse:
    rows = _fetch_or_404(product_id)
    product = rows.stub
    if slug != product.slug:
        # Not cached: if a product is renamed and then renamed back, a cached redirect would loop.
        query = f"?{request.META['QUERY_STRING']}" if request.META["QUERY_STRING"] else ""
        return no_cache(redirect(product.get_absolute_url() + query, permanent=bool(slug)))
    # Only a size that exists becomes part of the cache key: other texts in the URL cannot fill the cache.
    size = rows.size_named(request.GET.get("size", ""))

    def context() -> dict[str, object]:
        [availability] = rows.availabilities(get_currency(request))
        return {
            "availability": availability,
            "chosen": availability.variant_of(size),
            "product": availability.product,
            "slug": availability.product.category_slug,
        }

    # The size stays the same in the other languages.
    return render_cached_page(
        request,
        "shop/product_detail.html",
        (rows, size),
        context,
        address=lambda: product.get_absolute_url() + (f"?{urlencode({'size': size})}" if size else ""),
    )


@require_safe
def product_stock(request: HttpRequest, product_id: str) -> HttpResponse:
    """HTML fragments that depend on stock; shop.js uses them to update an open page."""
    rows = _fetch_or_404(product_id)
    [availability] = rows.availabilities(get_currency(request))
    context = {
        "availability": availability,
        "chosen": availability.variant_of(rows.size_named(request.GET.get("size", ""))),
        "product": availability.product,
    }
    response = render(request, "shop/_stock_parts.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return response


def _fetch_or_404(product_id: str) -> ProductRows:
    # PostgreSQL rejects NUL, which no id contains.
    rows = fetch_detail(product_id.replace("\0", ""))
    if rows is None:
        raise Http404(_("Product not found."))
    return rows


@require_safe
def legal_page(request: HttpRequest, which: str) -> HttpResponse:
    pages = get_storefront(request).settings.legal_pages
    if which not in pages:
        raise Http404
    title, text = pages[which]
    return render(request, "shop/legal_page.html", {"title": title, "text": text})


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    lines = ["User-agent: *", "Disallow: /admin/"]
    for language in settings.SHOP_LANGUAGES:
        lines += [f"Disallow: {address_in(language, path)}" for path in ("/cart/", "/checkout/", "/restock/")]
    lines.append(f"Sitemap: {settings.SITE_URL}{reverse('sitemap')}")
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain")


@require_safe
def theme_css(request: HttpRequest) -> HttpResponse:
    """The owner's colors as a stylesheet, because the Content-Security-Policy forbids inline styles."""
    response = HttpResponse(get_storefront(request).theme_css, content_type="text/css")
    patch_cache_control(response, public=True, max_age=60 * 60 * 24 * 365, immutable=True)
    return response


@csrf_exempt  # Read-only: a POST should fail with 405, not with a CSRF error.
@require_GET
def api_product_list(request: HttpRequest) -> HttpResponseBase:
    """The catalog as JSON, in the format that existing programs of the label expect. With an ETag: the version."""
    if not is_configured():
        refusal = JsonResponse({"products": []}, status=503)
        patch_cache_control(refusal, no_store=True)
        return refusal
    show_quantities = get_storefront(request).settings.show_counts
    version = catalog_version(show_quantities=show_quantities)
    etag = f'W/"{version}"'
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        response: HttpResponseBase = HttpResponseNotModified()
    else:
        compressed = compressed_catalog(version, show_quantities=show_quantities)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response = HttpResponse(
                compressed, content_type="application/json", headers={"Content-Encoding": "gzip"}
            )
        elif uncompressed_size(compressed) > MAX_WHOLE_ANSWER:
            response = StreamingHttpResponse(decompressed(compressed), content_type="application/json")
        else:
            response = HttpResponse(decompressed(compressed), content_type="application/json")
    response["ETag"] = etag
    patch_vary_headers(response, ["Accept-Encoding"])
    # No cache on the way may keep stock. A program that keeps the answer itself asks with If-None-Match.
    patch_cache_control(response, no_store=True)
    return response
