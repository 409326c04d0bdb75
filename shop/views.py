"""What does a visitor see? The shop's pages; stock is read anew for each."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_safe

from config.stripe_client import is_configured
from shop.catalogue import as_json
from shop.context import house_of
from shop.models import Product
from shop.offers import offer_of, offers_of
from shop.wishes import PAGE, Wish


def fresh(answer: HttpResponse) -> HttpResponse:
    """Pages that name stock are for one visitor, and are asked for anew each time."""
    patch_cache_control(answer, private=True, no_cache=True)
    return answer


@require_safe
def product_list(request: HttpRequest) -> HttpResponse:
    """The home page: one that is featured, large, then the others that are, then what is new."""
    wish = Wish(currency=settings.SHOP_CURRENCY)
    offers = offers_of(wish.products().with_offers()[wish.window()])
    hero = offers[0] if offers and offers[0].product.featured else None
    return fresh(render(request, "shop/home.html", {"hero": hero, "offers": offers[1:] if hero else offers}))


@require_safe
def browse(request: HttpRequest, slug: str = "") -> HttpResponse:
    """Everything, or a category; searched, filtered and sorted as the address says."""
    house = house_of(request)
    if slug and slug not in house.categories:
        raise Http404(_("There is no such category."))
    wish = Wish.read(request.GET, settings.SHOP_CURRENCY)
    rows = wish.products().filter(category_slug=slug) if slug else wish.products()
    products = list(rows.with_offers()[wish.window()])
    total = wish.total(products)
    context = {
        "offers": offers_of(products),
        "wish": wish,
        "total": total,
        "category": house.categories.get(slug, ""),
        "slug": slug,
        "is_everything": not slug,
        "pages": -(-total // PAGE),
    }
    return fresh(render(request, "shop/list.html", context))


@require_safe
def product(request: HttpRequest, product_id: str, slug: str = "") -> HttpResponse:
    found = get_object_or_404(Product.objects.on_show().with_offers().with_size_guide(), pk=product_id)
    if slug != found.slug:
        return redirect(found, permanent=bool(slug))
    return fresh(
        render(
            request,
            "shop/product.html",
            {"offer": offer_of(found), "product": found, "slug": found.category_slug},
        )
    )


@require_safe
def product_stock(request: HttpRequest, product_id: str) -> HttpResponse:
    """The choice of sizes alone, for a page that was left open."""
    found = get_object_or_404(Product.objects.on_show().with_offers(), pk=product_id)
    answer = render(request, "shop/_choices.html", {"offer": offer_of(found), "product": found})
    patch_cache_control(answer, private=True, no_store=True)
    return answer


@require_safe
def text(request: HttpRequest, which: str) -> HttpResponse:
    """One of the owner's legal texts."""
    texts = house_of(request).storefront.texts
    if which not in texts:
        raise Http404
    title, words = texts[which]
    return render(request, "shop/text.html", {"title": title, "text": words})


@require_safe
def look(request: HttpRequest) -> HttpResponse:
    """The owner's colours, as a stylesheet: the pages' policy allows no inline style."""
    answer = HttpResponse(house_of(request).look, content_type="text/css")
    patch_cache_control(answer, public=True, max_age=60 * 60 * 24 * 365, immutable=True)
    return answer


@require_GET
def api_products(request: HttpRequest) -> JsonResponse:
    """The catalogue as JSON, in the shape that other programs of the shop already read."""
    if not is_configured():
        answer = JsonResponse({"products": []}, status=503)
    else:
        products = Product.objects.on_show().with_offers().with_size_guide()
        answer = JsonResponse({"products": [as_json(each) for each in products]})
    patch_cache_control(answer, no_store=True)
    return answer
