"""INSERT and DELETE helpers that return the affected rows, using RETURNING.

When two workers insert the same row at once, the unique constraint admits one and RETURNING tells which. Checking
first and inserting afterwards would be a race.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connection, models

Row = TypeVar("Row", bound=models.Model)


def insert_new(rows: Sequence[Row], *, unique: Sequence[str]) -> list[Row]:
    """Insert the rows that do not exist yet; return those, with their primary keys set.

    `unique`: attribute names that identify a row within this call, such as ("kind", "reference", "item_id").
    One statement inserts the rows in the given order. Use the same order everywhere: two transactions that
    insert the same rows in different orders can deadlock.
    """
    if not rows:
        return []
    model = type(rows[0])
    sql = _insert(model, len(rows), tuple(unique))
    values = [_value(field, row) for row in rows for field in _columns_of(model)]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        created = {tuple(record[1:]): record[0] for record in cursor.fetchall()}
    return _with_keys(rows, unique, created)


@lru_cache  # Under load the same few statements are needed over and over.
def _insert(model: type[models.Model], rows: int, unique: tuple[str, ...]) -> str:
    fields = _columns_of(model)
    placeholders = f"({', '.join(['%s'] * len(fields))})"
    return (
        f"INSERT INTO {_name(model._meta.db_table)} ({', '.join(_name(field.column) for field in fields)}) "  # noqa: S608
        f"VALUES {', '.join([placeholders] * rows)} ON CONFLICT DO NOTHING "
        f"RETURNING {', '.join(_column(model, name) for name in (model._meta.pk.attname, *unique))}"
    )


@lru_cache
def _columns_of(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    # The database fills in the others.
    return [
        field
        for field in model._meta.concrete_fields
        if not isinstance(field, models.AutoField) and not field.generated
    ]


def _with_keys(rows: Sequence[Row], unique: Sequence[str], created: dict[tuple[Any, ...], Any]) -> list[Row]:
    new = []
    for row in rows:
        key = created.get(tuple(getattr(row, name) for name in unique))
        if key is not None:
            row.pk = key
            row._state.adding = False
            new.append(row)
    return new


def delete_returning(
    model: type[models.Model], *, where: dict[str, Any], columns: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Delete the rows that match `where`; return `columns` of the rows this call deleted."""
    sql = (
        f"DELETE FROM {_name(model._meta.db_table)} "  # noqa: S608
        f"WHERE {' AND '.join(f'{_column(model, name)} = %s' for name in where)} "
        f"RETURNING {', '.join(_column(model, name) for name in columns)}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, list(where.values()))
        return [tuple(row) for row in cursor.fetchall()]


def _value(field: models.Field[Any, Any], row: models.Model) -> Any:
    return field.get_db_prep_save(field.pre_save(row, add=True), connection)


def _column(model: type[models.Model], name: str) -> str:
    """Quoted column of a field, given by its name ("item") or attname ("item_id")."""
    return next(
        _name(field.column) for field in model._meta.concrete_fields if name in (field.name, field.attname)
    )


def _name(name: str | None) -> str:
    if name is None:
        raise ValueError("A field without a column cannot be inserted.")
    return connection.ops.quote_name(name)
