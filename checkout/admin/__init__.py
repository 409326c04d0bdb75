"""The admin of orders and mails, by topic. Django registers what this package imports."""

from checkout.admin.log import LogEntryAdmin
from checkout.admin.mails import CustomerMailAdmin, MailTextAdmin
from checkout.admin.orders import OrderAdmin

__all__ = ["CustomerMailAdmin", "LogEntryAdmin", "MailTextAdmin", "OrderAdmin"]
