"""Pages and JSON API of the shop. Stock is read from the database on every request."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_safe

from config.stripe_client import is_configured
from shop.api import product_to_json
from shop.availability import ProductAvailability
from shop.context_processors import get_storefront
from shop.filters import PAGE_SIZE, ProductFilter
from shop.models import Product
from shop.page_cache.render import no_cache, render_cached_page
from shop.page_cache.rows import ProductRows, fetch_detail, fetch_list


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Home page: up to two featured products, shown large, then other products."""
    shelf = fetch_list(ProductFilter(currency=settings.SHOP_CURRENCY))
    return render_cached_page(request, "shop/home.html", shelf, lambda: _home_context(shelf.availabilities()))


def _home_context(offers: list[ProductAvailability]) -> dict[str, object]:
    # The second featured product takes the space of four cards, so eight others fill the grid without gaps.
    featured = [offer for offer in offers[:2] if offer.product.featured]
    hero, second, *_no_more = *featured, None, None
    return {"hero": hero, "second": second, "availabilities": offers[len(featured) :][:8]}


@require_safe
def product_list(request: HttpRequest, slug: str = "") -> HttpResponse:
    """List of all products or of one category, with search, filters and sorting from the query string."""
    house = get_storefront(request)
    if slug and slug not in house.categories:
        raise Http404(_("Category not found."))
    wish = ProductFilter.read(request.GET, settings.SHOP_CURRENCY)
    shelf = fetch_list(wish, slug)
    if wish.page > 1 and not shelf.products:
        last = _page_count(fetch_list(replace(wish, page=1), slug))
        return no_cache(redirect(request.path + wish.querystring(page=last)))
    return render_cached_page(
        request,
        "shop/product_list.html",
        (shelf, wish, slug),
        lambda: {
            "product_filter": wish,
            "availabilities": shelf.availabilities(),
            "total": shelf.total,
            "pages": _page_count(shelf),
            "category": house.categories.get(slug, ""),
            "slug": slug,
            "is_everything": not slug,
        },
    )


def _page_count(shelf: ProductRows) -> int:
    return -(-shelf.total // PAGE_SIZE)


@require_safe
def product_detail(request: HttpRequest, product_id: str, slug: str = "") -> HttpResponse:
    shelf = fetch_detail(_possible_id(product_id))
    if shelf is None:
        raise Http404(_("Product not found."))
    current = shelf.stub
    if slug != current.slug:
        # Not cached: if a product is renamed and then renamed back, a cached redirect would loop.
        return no_cache(redirect(current, permanent=bool(slug)))
    return render_cached_page(
        request,
        "shop/product_detail.html",
        shelf,
        lambda: _detail_context(*shelf.availabilities()),
    )


def _detail_context(offer: ProductAvailability) -> dict[str, object]:
    return {"availability": offer, "product": offer.product, "slug": offer.product.category_slug}


@require_safe
def product_stock(request: HttpRequest, product_id: str) -> HttpResponse:
    """HTML fragments that depend on stock; shop.js uses them to update an open page."""
    shelf = fetch_detail(_possible_id(product_id))
    if shelf is None:
        raise Http404(_("Product not found."))
    [offer] = shelf.availabilities()
    answer = render(request, "shop/_stock_parts.html", {"availability": offer, "product": offer.product})
    patch_cache_control(answer, private=True, no_store=True)
    return answer


def _possible_id(text: str) -> str:
    # PostgreSQL rejects NUL, which no id contains.
    return text.replace("\0", "")


@require_safe
def legal_page(request: HttpRequest, which: str) -> HttpResponse:
    texts = get_storefront(request).settings.legal_pages
    if which not in texts:
        raise Http404
    title, words = texts[which]
    return render(request, "shop/legal_page.html", {"title": title, "text": words})


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    lines = ["User-agent: *", "Disallow: /admin/", "Disallow: /cart/", "Disallow: /checkout/"]
    lines.append(f"Sitemap: {settings.SITE_URL}{reverse('sitemap')}")
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain")


@require_safe
def theme_css(request: HttpRequest) -> HttpResponse:
    """The owner's colors as a stylesheet, because the Content-Security-Policy forbids inline styles."""
    answer = HttpResponse(get_storefront(request).theme_css, content_type="text/css")
    patch_cache_control(answer, public=True, max_age=60 * 60 * 24 * 365, immutable=True)
    return answer


@csrf_exempt  # Read-only: a POST should fail with 405, not with a CSRF error.
@require_GET
def api_product_list(request: HttpRequest) -> JsonResponse:
    """The catalog as JSON, in the format that existing programs of the label expect."""
    if not is_configured():
        answer = JsonResponse({"products": []}, status=503)
    else:
        products = Product.objects.visible().with_stock().with_size_guide()
        counted = get_storefront(request).settings.show_counts
        answer = JsonResponse(
            {"products": [product_to_json(product, show_quantities=counted) for product in products]}
        )
    patch_cache_control(answer, no_store=True)
    return answer
