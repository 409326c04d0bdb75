"""What does the owner see first? Functions of the request that return a panel for the admin, or None.

A panel is {"level": "error" | "warning" | "info", "title": text, "text": text, "url": text or ""}.
"""

PANELS: list[str] = [
    "inventory.desk.worker_panel",
    "shop.desk.webhook_panel",
    "inventory.desk.cases_panel",
    "inventory.desk.problems_panel",
    "shop.desk.products_panel",
]
