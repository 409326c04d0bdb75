"""What does the owner see first? Functions of the request that return a panel for the admin, or None.

A panel is {"level": "error" | "warning", "title": text, "text": text, "url": text or ""}.
"""

# What cannot wait stands on every page of the admin.
ALARMS = [
    "inventory.desk.worker_panel",
    "shop.desk.webhook_panel",
]
NOTES = [
    "inventory.desk.cases_panel",
    "inventory.desk.problems_panel",
    "shop.desk.products_panel",
]
