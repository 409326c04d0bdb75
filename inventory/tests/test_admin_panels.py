"""Panels of the admin: open issues, unknown counts and paused products."""

from __future__ import annotations

from django.test import RequestFactory

from inventory import admin_panels
from inventory.models import ProductSync
from inventory.tests.factories import Shirt


def test_open_issues_are_shown_in_the_admin(shirt: Shirt) -> None:
    shirt.sell("L", 9)

    panel = admin_panels.issues_panel(RequestFactory().get("/admin/"))

    assert panel is not None and panel["title"] == "1 issue needs attention"
    assert panel["text"] == "oversold: prod_shirt stock_L"


def test_a_shop_without_problems_has_no_panels(shirt: Shirt) -> None:
    request = RequestFactory().get("/admin/")

    assert admin_panels.issues_panel(request) is None and admin_panels.problems_panel(request) is None


def test_unknown_counts_and_paused_products_are_shown_in_the_admin(shirt: Shirt) -> None:
    shirt.edit(M="ten")
    shirt.settle()
    ProductSync.objects.update(pause_reason="refused", pause_detail="no")

    panel = admin_panels.problems_panel(RequestFactory().get("/admin/"))

    assert panel is not None and panel["title"] == "2 stock problems"
    assert "“ten”" in panel["text"] and "rejected" in panel["text"]
