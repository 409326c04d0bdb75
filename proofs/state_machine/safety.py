"""Check the invariants that hold after every step: sums, unique sales, holds, no oversell. Plain SQL."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test import Client

from inventory.models import StockItem
from proofs.state_machine.broken import broken
from proofs.state_machine.stage import Stage
from shop.tests.channels import Said, assert_channels_agree

SUMS = """
    SELECT i.key, i.held, (SELECT coalesce(sum(quantity), 0) FROM inventory_hold h WHERE h.item_id = i.id),
        i.pending, (SELECT coalesce(sum(delta), 0) FROM inventory_movement m
                    WHERE m.item_id = i.id AND m.published_at IS NULL),
        coalesce(i.on_hand, 0), (SELECT coalesce(sum(delta), 0) FROM inventory_movement m
                                 WHERE m.item_id = i.id AND m.published_at IS NOT NULL)
    FROM inventory_stockitem i
"""
TWICE = """
    SELECT kind, reference, item_id, count(*) FROM inventory_movement GROUP BY 1, 2, 3 HAVING count(*) > 1
"""
OPEN_WRITES = """
    SELECT product_id, count(*) FROM inventory_stockupdate WHERE state = 'open' GROUP BY 1 HAVING count(*) > 1
"""
RIDING_TWICE = """
    SELECT m.reference FROM inventory_movement m JOIN inventory_stockupdate w ON m.stock_update_id = w.id
    WHERE (w.state = 'applied') != (m.published_at IS NOT NULL)
"""
LAST_HOLD = """
    SELECT i.key, (SELECT coalesce(sum(delta), 0) FROM inventory_movement m WHERE m.item_id = i.id)
        - (SELECT coalesce(sum(quantity), 0) FROM inventory_hold h WHERE h.item_id = i.id)
    FROM inventory_stockitem i JOIN inventory_hold mine ON mine.item_id = i.id
    WHERE mine.reference = (SELECT reference FROM inventory_hold ORDER BY id DESC LIMIT 1) AND i.state = 'counted'
"""
HELD = "SELECT reference, sum(quantity) FROM inventory_hold GROUP BY 1"
ORDERS = "SELECT id, session_id, state FROM checkout_order WHERE NOT is_external"


def rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def check(stage: Stage) -> None:
    """Raises BrokenPromise."""
    with stage.processes.aside():
        check_rows()
        _no_hold_ended_early(stage)
    _other_keys_are_untouched(stage)


def check_rows() -> None:
    """Check the invariants that concern only the shop's rows. Raises BrokenPromise."""
    for key, held, holds, pending, waiting, on_hand, published in rows(SUMS):
        if (held, pending, on_hand) != (holds, waiting, published):
            seen = f"{key}: held {held}/{holds}, pending {pending}/{waiting}, on_hand {on_hand}/{published}"
            raise broken("9: a sum is not the sum of its rows", seen)
    for promise, sql in (
        ("1: a movement exists twice", TWICE),
        ("5: two updates of a product are open", OPEN_WRITES),
        ("5: a movement is published without its update, or the other way round", RIDING_TWICE),
    ):
        if violations := rows(sql):
            raise broken(promise, violations)


def a_hold_was_made(stage: Stage) -> None:
    """Invariant 3 at the moment of the hold: the units were in stock, by the movements and holds themselves."""
    with stage.processes.aside():
        for key, left in rows(LAST_HOLD):
            if left < 0:
                raise broken("3: more was held than was in stock", f"{key}: {left}")


def channels_agree(stage: Stage) -> Said:
    """Page, structured data, JSON catalog and feed say the same of each size. Returns that, or raises BrokenPromise."""
    with stage.processes.aside():
        try:
            return assert_channels_agree(Client())
        except AssertionError as error:
            raise broken("two channels differ about a size", str(error)) from error


def agents_are_told_the_same(stage: Stage, page: Said) -> None:
    """At rest, Stripe's catalog for agents says of each size what the product `page` says. Raises BrokenPromise."""
    with stage.processes.aside():
        keys = {item.catalog_id: (item.product_id, item.size) for item in StockItem.objects.all()}
        told = {
            keys[id]: (row["availability"] == "in_stock", row["price"].removesuffix(" USD"))
            for id, row in stage.fake.catalog.items()
        }
        if told != page:
            raise broken("agents are told something else", f"{set(told.items()) ^ set(page.items())}")
        counts = {keys[id]: row["inventory_quantity"] for id, row in stage.fake.catalog.items()}
        left = {(item.product_id, item.size): str(item.available) for item in StockItem.objects.all()}
        if counts != left:
            raise broken("agents are told other counts", f"{counts}, not {left}")


def _no_hold_ended_early(stage: Stage) -> None:
    """As long as the customer can still pay, or a bank debit is processing, the units stay held."""
    held = {reference for reference, _units in rows(HELD)}
    for order, session, state in rows(ORDERS):
        row = stage.fake.sessions.get(session) if session else None
        if row is None or row["status"] == "expired" or f"order:{_dashed(order)}" in held:
            continue
        if row["status"] == "open" and not stage.books.restored:
            raise broken("8: a hold ended while its page is open", f"{order} {session}")
        undone = row["status"] == "complete" and state == "canceled" and session in stage.books.paid
        if undone and not stage.books.restored and not stage.on_its_way(session):
            raise broken("8: a paid order was released", f"{order} {session}")


def _dashed(identity: Any) -> str:
    # SQLite stores a UUID without dashes.
    text = str(identity).replace("-", "")
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])


def _other_keys_are_untouched(stage: Stage) -> None:
    for product, keys in stage.books.other_keys.items():
        metadata = stage.fake.products[product]["metadata"]
        for key, text in keys.items():
            if metadata.get(key) != text:
                raise broken(
                    "10: a key that is not the shop's was changed",
                    f"{product} {key}: {metadata.get(key)!r}, not {text!r}",
                )
