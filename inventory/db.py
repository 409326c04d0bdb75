"""Statements for many rows at once: INSERT and DELETE that return the affected rows, and UPDATE.

When two workers insert the same row at once, the unique constraint admits one and RETURNING tells which. Checking
first and inserting afterwards would be a race.

Columns are named like the attributes of fields, such as "item_id". No model renames one.
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
    fields, sql = _insert_statement(type(rows[0]), len(rows), tuple(unique))
    values = [
        field.get_db_prep_save(field.pre_save(row, add=True), connection) for row in rows for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        keys = {tuple(record[1:]): record[0] for record in cursor.fetchall()}
    new = []
    for row in rows:
        row_key = tuple(getattr(row, name) for name in unique)
        if row_key in keys:
            row.pk, row._state.adding = keys[row_key], False
            new.append(row)
    return new


@lru_cache  # Under load the same few statements are needed over and over.
def _insert_statement(
    model: type[models.Model], rows: int, unique: tuple[str, ...]
) -> tuple[list[models.Field[Any, Any]], str]:
    # The fields whose values are inserted, and the INSERT. The database fills in the other columns.
    quote = connection.ops.quote_name
    fields = [
        field
        for field in model._meta.concrete_fields
        if not isinstance(field, models.AutoField) and not field.generated
    ]
    placeholders = f"({', '.join(['%s'] * len(fields))})"
    return fields, (
        f"INSERT INTO {quote(model._meta.db_table)} "  # noqa: S608
        f"({', '.join(quote(field.attname) for field in fields)}) "
        f"VALUES {', '.join([placeholders] * rows)} ON CONFLICT DO NOTHING "
        f"RETURNING {', '.join(map(quote, (model._meta.pk.attname, *unique)))}"
    )


def delete_returning(
    model: type[models.Model], *, where: str, values: Sequence[Any], columns: Sequence[str]
) -> list[Any]:
    """Delete the rows whose column `where` has one of `values`; return `columns` of the rows this call deleted."""
    if not values:
        return []
    quote = connection.ops.quote_name
    sql = (
        f"DELETE FROM {quote(model._meta.db_table)} "  # noqa: S608
        f"WHERE {quote(where)} IN ({', '.join(['%s'] * len(values))}) "
        f"RETURNING {', '.join(map(quote, columns))}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, list(values))
        rows: list[Any] = cursor.fetchall()
    return rows


def update_rows(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Save the fields `names` of rows that the caller has locked. One statement for all of them."""
    if not rows:
        return
    model, quote = type(rows[0]), connection.ops.quote_name
    fields = [*(field for field in model._meta.concrete_fields if field.name in names), model._meta.pk]
    changes = ", ".join(f"{quote(field.attname)} = %s" for field in fields[:-1])
    sql = (
        f"UPDATE {quote(model._meta.db_table)} "  # noqa: S608
        f"SET {changes} WHERE {quote(model._meta.pk.attname)} = %s"
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            sql,
            [
                [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
                for row in rows
            ],
        )
