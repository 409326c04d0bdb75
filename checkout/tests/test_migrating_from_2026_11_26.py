"""A database that the version of 2026-11-26 left is migrated, and every fact in it is found again.

The database and its facts are in fixtures/, made by fixtures/make_database.py with the code of that version. The facts
are in the words of that version; the tables below hold the words of this one.
"""

from __future__ import annotations

import json
import lzma
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import connection, connections
from django.db.models import Model
from pytest_django.plugin import DjangoDbBlocker

from checkout.models import Order
from inventory.models import (
    EventCursor,
    Heartbeat,
    Hold,
    Installation,
    Issue,
    Movement,
    ProcessedRequest,
    ProductSync,
    StockItem,
    StockUpdate,
    StripeEvent,
    VersionSnapshot,
)
from shop.models import Product, SizeGuide, Storefront

# Tables of 2026-11-26 whose model has another name now. Every other table keeps its name.
RENAMED_TABLES = {
    "inventory_shopidentity": "inventory.installation",
    "inventory_productstock": "inventory.productsync",
    "inventory_stockwrite": "inventory.stockupdate",
    "inventory_markstate": "inventory.versionsnapshot",
    "inventory_countedrequest": "inventory.processedrequest",
    "inventory_case": "inventory.issue",
    "inventory_postbox": "inventory.maillock",
}
RENAMED_MODELS = {table.replace("_", ".", 1): model for table, model in RENAMED_TABLES.items()}
# Django adds rows to these for every migration, model and permission.
GROWING_TABLES = {
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
}

ISSUE_KINDS = {
    "oversold": "oversold",
    "more than a count can say": "count_too_large",
    "unreadable count": "unreadable_count",
    "another shop writes here": "foreign_version",
    "restored database": "restored_database",
    "edits that Stripe has forgotten": "event_gap",
    "sale at the first look": "sale_before_sync",
    "edit that cannot be told apart": "ambiguous_edit",
    "edit to look at": "edit_to_review",
    "Stripe refuses a write": "update_refused",
    "publishing stopped": "publishing_stopped",
    "event not handled": "event_failed",
    "stripe key": "stripe_key",
    "product cannot be read": "refresh_failed",
    "product cannot be written": "publish_failed",
    "checkout refused": "checkout_refused",
    "sale without a size": "needs_size",
    "order not settled": "order_failed",
    "refund": "refund_to_review",
    "refund failed": "refund_failed",
    "session not found": "session_not_found",
}
ORDER_STATES = {"released": "canceled"}

NAME = "shop-2026-11-26"
FIXTURES = Path(__file__).parent / "fixtures"
EXPECTED: dict[str, Any] = json.loads((FIXTURES / f"{NAME}.json").read_text(encoding="utf-8"))
# The alias of the migrated database.
MIGRATED = "migrated"


# --- The migrated database --------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def migrated_database(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Load the old database, migrate it with manage.py, and connect to it as MIGRATED."""
    dump = lzma.decompress((FIXTURES / f"{NAME}.{connection.vendor}.sql.xz").read_bytes()).decode()
    database = _sqlite_file(tmp_path_factory) if connection.vendor == "sqlite" else _scratch_database()
    with django_db_blocker.unblock(), database as name, _connected_to(name):
        _load(dump, name)
        _migrate(_url_of(name))
        try:
            yield
        finally:
            _found_in.cache_clear()


@contextmanager
def _sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield str(tmp_path_factory.mktemp(NAME) / "shop.sqlite3")


@contextmanager
def _scratch_database() -> Iterator[str]:
    """A new database on the server of the tests."""
    name = f"migrated_{uuid4().hex}"
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


@contextmanager
def _connected_to(name: str) -> Iterator[None]:
    connections.settings[MIGRATED] = {**connections.settings["default"], "NAME": name}
    try:
        yield
    finally:
        connections[MIGRATED].close()
        del connections[MIGRATED]
        del connections.settings[MIGRATED]


def _load(dump: str, name: str) -> None:
    if connection.vendor == "sqlite":
        # Django's connection enforces foreign keys, and the dump is not in their order.
        with closing(sqlite3.connect(name)) as database:
            database.executescript(dump)
        return
    with connections[MIGRATED].cursor() as cursor:
        # Without parameters psycopg sends all statements at once.
        cursor.execute(dump)
    # The migration runs in another process.
    connections[MIGRATED].close()


def _url_of(name: str) -> str:
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    server = connection.settings_dict
    login = f"{quote(server['USER'], safe='')}:{quote(server['PASSWORD'], safe='')}"
    return f"postgres://{login}@{server['HOST']}:{server['PORT']}/{name}"


def _migrate(url: str) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
    }
    command = [sys.executable, "manage.py", "migrate", "--no-input"]
    result = subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr


def rows(model: type[Model]) -> Any:
    return model._default_manager.using(MIGRATED).order_by("pk")


# --- Tests ------------------------------------------------------------------------------------


def test_the_old_database_has_rows_in_every_table() -> None:
    assert [table for table, count in EXPECTED["rows"].items() if not count] == []


@pytest.mark.parametrize("table", EXPECTED["rows"])
def test_every_table_keeps_its_rows(table: str) -> None:
    model = RENAMED_TABLES.get(table)
    name = model.replace(".", "_", 1) if model else table
    with connections[MIGRATED].cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{name}"')
        (count,) = cursor.fetchone()

    before = EXPECTED["rows"][table]
    assert count >= before if table in GROWING_TABLES else count == before


def test_no_table_keeps_an_old_name() -> None:
    tables = connections[MIGRATED].introspection.table_names()

    assert RENAMED_TABLES.keys() & set(tables) == set()


@pytest.mark.parametrize("section", [section for section in EXPECTED if section != "rows"])
def test_every_fact_is_found_again(section: str) -> None:
    assert _found_in(section) == _in_words_of_today(section, EXPECTED[section])


def test_counts_are_the_sums_of_their_movements() -> None:
    for item in rows(StockItem):
        published = [row.delta for row in item.movements.all() if row.published_at]
        waiting = [row.delta for row in item.movements.all() if not row.published_at]
        assert (item.on_hand or 0, item.pending) == (sum(published), sum(waiting)), item.key
        assert item.held == sum(hold.quantity for hold in item.holds.all()), item.key


def test_no_content_type_and_no_permission_of_an_old_model_is_left() -> None:
    ours = ["shop", "inventory", "checkout"]
    types = [row for row in rows(ContentType) if row.app_label in ours]
    permissions = [row for row in rows(Permission) if row.content_type.app_label in ours]

    assert [row for row in types if row.model_class() is None] == []
    own = {(model, name) for model in apps.get_models() for name, _label in model._meta.permissions}
    assert [
        row
        for row in permissions
        if not row.codename.endswith(f"_{row.content_type.model}")
        and (row.content_type.model_class(), row.codename) not in own
    ] == []


# --- The facts in the words of this version ---------------------------------------------------


def _in_words_of_today(section: str, facts: Any) -> Any:
    translate: dict[str, Callable[[], Any]] = {
        "cases": lambda: [[ISSUE_KINDS[kind], *rest] for kind, *rest in facts],
        "orders": lambda: {
            key: {**order, "state": ORDER_STATES.get(order["state"], order["state"])}
            for key, order in facts.items()
        },
        "users": lambda: {
            name: {
                **user,
                "groups": {group: _renamed(names) for group, names in user["groups"].items()},
                "permissions": _renamed(user["permissions"]),
            }
            for name, user in facts.items()
        },
        "admin log": lambda: [
            [user, RENAMED_MODELS.get(model, model), *rest] for user, model, *rest in facts
        ],
    }
    return translate[section]() if section in translate else facts


def _renamed(permissions: list[str]) -> list[str]:
    pairs = [text.split(" ") for text in permissions]
    return sorted(f"{action} {RENAMED_MODELS.get(model, model)}" for action, model in pairs)


# --- The facts in the migrated database -------------------------------------------------------


@cache
def _found_in(section: str) -> Any:
    return FACTS[section]()


def _products() -> dict[str, Any]:
    return {
        each.pk: [
            each.name,
            each.active,
            each.deleted,
            each.category,
            each.sizes,
            each.colors,
            each.problems,
            [price["id"] for price in each.prices],
            each.default_price_id,
            [each.lowest_amount, each.highest_amount],
            [each.featured, each.link, each.metadata],
            [each.search_text, each.color_index],
            [_time(each.created_at), _time(each.fetched_at)],
        ]
        for each in rows(Product)
    }


def _stock() -> dict[str, Any]:
    return {
        _name(each): {
            "key": each.key,
            "listed": each.is_listed,
            "state": each.state,
            "on hand": each.on_hand,
            "held": each.held,
            "pending": each.pending,
            "available": each.available,
            "published": _published(each),
            "unreadable edits": [
                each.invalid_edits,
                each.invalid_units,
                each.invalid_overwritten,
                _time(each.invalid_since),
            ],
            "notified level": each.notified_level,
            "began": [_time(each.opened_at), each.opened_count],
        }
        for each in rows(StockItem)
    }


def _movements() -> list[Any]:
    return [
        [
            _name(each.item),
            each.kind,
            each.delta,
            each.reference,
            each.reason,
            each.actor,
            _time(each.created_at),
            _time(each.published_at),
            each.stock_update.idempotency_key if each.stock_update else None,
        ]
        for each in rows(Movement)
    ]


def _holds() -> list[Any]:
    return sorted([each.reference, _name(each.item), each.quantity] for each in rows(Hold))


def _sync() -> dict[str, Any]:
    return {
        each.pk: {
            "number": each.number,
            "paused": [each.pause_reason, each.pause_detail],
            "accepted version": each.accepted_version,
            "refreshes": [each.refreshes_requested, each.refreshes_done, each.refresh_attempts],
            "needs version": each.needs_version_bump,
            "differs": each.differs,
            "attempts": each.attempts,
            "next attempt": _time(each.next_attempt_at),
            "next refresh": _time(each.next_refresh_at),
            "refreshed": _time(each.refreshed_at),
            "cutoff": [_time(each.sales_cutoff), each.cutoff_from_restore],
            "gap": each.event_gap,
            "highest seen": each.highest_seen_number,
        }
        for each in rows(ProductSync)
    }


def _updates() -> list[Any]:
    return [
        [
            each.product_id,
            each.number,
            each.idempotency_key,
            each.totals,
            [each.state, each.event_seen, each.movements.count()],
            [_time(each.created_at), _time(each.sent_at), _time(each.finished_at)],
        ]
        for each in rows(StockUpdate)
    ]


def _snapshots() -> list[Any]:
    return [[each.product_id, each.number, each.counts, each.from_update] for each in rows(VersionSnapshot)]


def _events() -> dict[str, Any]:
    return {
        each.pk: [each.type, each.object_id, each.state, each.attempts, each.needs_stripe, each.error]
        for each in rows(StripeEvent)
    }


def _orders() -> dict[str, Any]:
    return {str(each.pk): _order(each) for each in rows(Order)}


def _order(order: Order) -> dict[str, Any]:
    return {
        "state": order.state,
        "opened here": not order.is_external,
        "session": order.session_id,
        "amounts": [
            order.currency,
            order.subtotal,
            order.shipping,
            order.tax,
            order.discount,
            order.total,
        ],
        "refunded": order.refunded,
        "customer": [order.email, order.name, order.address],
        "payment": order.payment_intent_id,
        "cart": order.cart_token,
        "fingerprint": order.fingerprint,
        "attempts": [order.attempts, _time(order.next_attempt_at)],
        "asked": [_time(order.customer_returned_at), _time(order.polled_at)],
        "times": [_time(order.created_at), _time(order.expires_at), _time(order.paid_at)],
        "lines": [
            [
                each.position,
                each.product_id,
                _name(each.item) if each.item else None,
                each.name,
                each.size,
                each.color,
                each.quantity,
                each.unit_amount,
                each.price_id,
                each.needs_size,
            ]
            for each in order.lines.order_by("position")
        ],
    }


def _issues() -> list[Any]:
    return [
        [
            each.kind,
            each.subject,
            each.text,
            _time(each.opened_at),
            _time(each.closed_at),
            _time(each.notified_at),
        ]
        for each in rows(Issue)
    ]


def _storefront() -> dict[str, Any]:
    one = rows(Storefront).get()
    return {
        "name": one.name,
        "tagline": one.tagline,
        "announcement": one.announcement,
        "logo": one.logo,
        "accent": one.accent,
        "background": one.background,
        "show counts": one.show_counts,
        "about": one.about,
        "legal notice": one.legal_notice,
        "privacy": one.privacy,
        "terms": one.terms,
    }


def _size_guides() -> list[Any]:
    return [
        [each.name, each.category, each.unit, each.columns, each.lines, each.note] for each in rows(SizeGuide)
    ]


def _users() -> dict[str, Any]:
    return {
        each.username: {
            "email": each.email,
            "flags": [each.is_active, each.is_staff, each.is_superuser, each.has_usable_password()],
            "groups": {group.name: _permissions(group.permissions.all()) for group in each.groups.all()},
            "permissions": _permissions(each.user_permissions.all()),
        }
        for each in rows(User)
    }


def _admin_log() -> list[Any]:
    return [
        [each.user.username, _model(each.content_type), each.object_id, each.object_repr, each.action_flag]
        for each in rows(LogEntry)
    ]


def _carts() -> list[Any]:
    """The carts in the sessions, empty ones left out."""
    names = {item.pk: _name(item) for item in rows(StockItem)}
    carts = [(each.session_key, each.get_decoded().get("cart", {})) for each in rows(Session)]
    return [
        {
            "session": key,
            "token": cart["token"],
            "lines": [[names[item], color, quantity] for item, color, quantity in cart["lines"]],
        }
        for key, cart in carts
        if cart.get("lines")
    ]


def _heartbeats() -> list[Any]:
    return [[each.name, _time(each.beat_at), each.timeout] for each in rows(Heartbeat)]


FACTS: dict[str, Callable[[], Any]] = {
    "products": _products,
    "stock": _stock,
    "movements": _movements,
    "holds": _holds,
    "sync": _sync,
    "updates": _updates,
    "snapshots": _snapshots,
    "requests": lambda: [[each.product_id, each.request] for each in rows(ProcessedRequest)],
    "events": _events,
    "orders": _orders,
    "cases": _issues,
    "storefront": _storefront,
    "size guides": _size_guides,
    "users": _users,
    "admin log": _admin_log,
    "carts": _carts,
    "identity": lambda: rows(Installation).get().id_text,
    "cursor": lambda: [
        _time(moment) for moment in rows(EventCursor).values_list("read_to", "listed_at").get()
    ],
    "heartbeats": _heartbeats,
}


def _name(item: StockItem) -> str:
    return f"{item.product_id} {item.size}".strip()


def _published(item: StockItem) -> int | None:
    """The count that the last applied update sent to Stripe."""
    last = item.product.stock_updates.filter(state="applied").order_by("-number").first()
    return last.totals.get(item.key) if last else None


def _permissions(permissions: Any) -> list[str]:
    """As “change inventory.stockitem”, by the codename, which Django checks."""
    return sorted(
        f"{row.codename.partition('_')[0]} {row.content_type.app_label}.{row.codename.partition('_')[2]}"
        for row in permissions
    )


def _model(content_type: ContentType | None) -> str:
    assert content_type is not None
    return f"{content_type.app_label}.{content_type.model}"


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None
