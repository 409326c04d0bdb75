"""Copy the whole database and put it back, to reset it before each schedule and to restore backups in one."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction

Rows = dict[str, bytes]
Copy = sqlite3.Connection | Rows


def take() -> Copy:
    """Copy all committed rows."""
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        connection.connection.backup(copy)
        return copy
    return {model._meta.db_table: _rows(model) for model in _tables()}


def put_back(copy: Copy) -> None:
    """Reset the database to the copy."""
    if isinstance(copy, sqlite3.Connection):
        connection.ensure_connection()
        copy.backup(connection.connection)
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        # TRUNCATE makes new files for each table and its indexes; there are few rows.
        names = [connection.ops.quote_name(model._meta.db_table) for model in _tables()]
        cursor.execute("; ".join(f"DELETE FROM {name}" for name in names))  # noqa: S608
        for model in _tables():
            if rows := copy[model._meta.db_table]:
                _fill(cursor, model, rows)
        cursor.execute("; ".join(_next_key(model) for model in _tables() if _has_sequence(model)))


def _tables() -> list[type[models.Model]]:
    return [
        model
        for name in ("contenttypes", "auth", "sessions", "admin", "shop", "inventory", "checkout")
        for model in apps.get_app_config(name).get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    ]


def _columns(model: type[models.Model]) -> str:
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    return ", ".join(connection.ops.quote_name(field.column or field.name) for field in fields)


def _rows(model: type[models.Model]) -> bytes:
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({_columns(model)}) TO STDOUT") as out:
        return b"".join(bytes(part) for part in out)


def _fill(cursor: Any, model: type[models.Model], rows: bytes) -> None:
    table = connection.ops.quote_name(model._meta.db_table)
    with cursor.copy(f"COPY {table} ({_columns(model)}) FROM STDIN") as into:
        into.write(rows)


def _has_sequence(model: type[models.Model]) -> bool:
    return isinstance(model._meta.pk, models.AutoField)


def _next_key(model: type[models.Model]) -> str:
    table, key = model._meta.db_table, model._meta.pk
    identity = key.column or key.name
    return (
        f"SELECT setval(pg_get_serial_sequence('{table}', '{identity}'), "  # noqa: S608
        f"coalesce((SELECT max({identity}) FROM {connection.ops.quote_name(table)}), 0) + 1, false)"
    )
