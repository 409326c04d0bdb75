"""Parts of the admin that the apps provide: panels, the first page, and the pages that are no list of a model."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# Urgent problems, shown on every admin page: dotted paths of functions that take the request and return a panel or None.
# A panel is {"level": "error" | "warning", "title": text, "text": text, "url": text or ""}.
SITEWIDE_PANELS = [
    "inventory.admin_panels.worker_panel",
    "shop.admin_panels.webhook_panel",
    "inventory.admin_panels.deliveries_panel",
    "inventory.admin_panels.mail_panel",
]
# Takes the request and returns the context of the first page.
INDEX_CONTEXT = "checkout.today.today_context"
# Pages that belong to no model: address below the admin's, dotted path of the view, name.
VIEWS = [
    ("reports/", "checkout.reports.pages.report_view", "checkout_reports"),
    ("reports/<slug:name>/", "checkout.reports.pages.report_view", "checkout_report"),
]


@dataclass(frozen=True)
class AdminPage:
    """A page of the admin's list that is not a model's. `permission`: what it asks for."""

    name: str | Promise
    url_name: str
    permission: str


# The admin's list, by the work that is done there: labels of models, and pages. Models that are not named come last.
WORK: list[tuple[str | Promise, list[str | AdminPage]]] = [
    (
        _("Sell"),
        [
            "checkout.Order",
            "checkout.CustomerMail",
            AdminPage(_("Oversold"), "admin:checkout_oversold", "inventory.change_stockitem"),
            AdminPage(_("Reports"), "admin:checkout_reports", "checkout.view_reports"),
        ],
    ),
    (
        _("Stock"),
        [
            AdminPage(_("Stock grid"), "admin:inventory_stock_grid", "inventory.change_stockitem"),
            AdminPage(_("Stock file"), "admin:inventory_stock_file", "inventory.change_stockitem"),
            "inventory.StockItem",
            "inventory.Movement",
            "inventory.Hold",
            "inventory.Issue",
        ],
    ),
    (_("Catalog"), ["shop.Product", "shop.SizeGuide"]),
    (_("Look"), ["shop.Storefront", "checkout.MailText"]),
    (
        _("Plumbing"),
        [
            "inventory.StripeEvent",
            "inventory.StockUpdate",
            "inventory.ProductSync",
            "inventory.CatalogImport",
            "admin.LogEntry",
        ],
    ),
]
