"""Panels of the admin: dotted paths of functions that take the request and return a panel or None.

A panel is {"level": "error" | "warning", "title": text, "text": text, "url": text or ""}.
"""

# Urgent problems, shown on every admin page.
SITEWIDE_PANELS = [
    "inventory.admin_panels.worker_panel",
    "shop.admin_panels.webhook_panel",
]
# Shown on the first page of the admin.
INDEX_PANELS = [
    "inventory.admin_panels.issues_panel",
    "inventory.admin_panels.problems_panel",
    "shop.admin_panels.products_panel",
]
