"""Panels of the admin: dotted paths of functions that take the request and return a panel or None.

A panel is {"level": "error" | "warning", "title": text, "text": text, "url": text or ""}.
"""

# Urgent problems, shown on every admin page.
ALARMS = [
    "inventory.desk.worker_panel",
    "shop.desk.webhook_panel",
]
# Shown on the first page of the admin.
NOTES = [
    "inventory.desk.cases_panel",
    "inventory.desk.problems_panel",
    "shop.desk.products_panel",
]
