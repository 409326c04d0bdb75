"""The models of orders, by topic."""

from checkout.models.mails import MAIL_WAITING, CustomerMail, CustomerMailQuerySet, MailText
from checkout.models.orders import CUSTOMER_DONE_STATES, Order, OrderLine, OrderLineQuerySet, OrderQuerySet
from checkout.models.refunds import Refund, RefundLine
from checkout.models.reports import SalesSummary
from checkout.models.requests import CustomerRequest, CustomerRequestLine, OrderLookup
from checkout.models.restock import (
    OPEN_SIGNUPS,
    RestockSignup,
    RestockSignupQuerySet,
    RestockSubscriber,
    RestockWave,
)

__all__ = [
    "CUSTOMER_DONE_STATES",
    "MAIL_WAITING",
    "OPEN_SIGNUPS",
    "CustomerMail",
    "CustomerMailQuerySet",
    "CustomerRequest",
    "CustomerRequestLine",
    "MailText",
    "Order",
    "OrderLine",
    "OrderLineQuerySet",
    "OrderLookup",
    "OrderQuerySet",
    "Refund",
    "RefundLine",
    "RestockSignup",
    "RestockSignupQuerySet",
    "RestockSubscriber",
    "RestockWave",
    "SalesSummary",
]
