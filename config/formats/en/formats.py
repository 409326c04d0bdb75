"""English: short months and 24 hours, such as “Nov 28, 2026, 14:35”, as the admin's pages and the mails write them."""

DATE_FORMAT = "M j, Y"
DATETIME_FORMAT = "M j, Y, H:i"
MONTH_DAY_FORMAT = "M j"
TIME_FORMAT = "H:i"
