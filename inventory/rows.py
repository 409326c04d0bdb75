"""Which rows did we really insert, or really delete? What the database answers, in one statement each.

Two workers may try the same insert at the same moment. The unique constraint lets one of them in; RETURNING
says who it was. Looking first and inserting then would let both in.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connection, models

Row = TypeVar("Row", bound=models.Model)


def insert_new(rows: Sequence[Row], *, unique: Sequence[str]) -> list[Row]:
    """Insert the rows that are not there yet; return those, with their primary keys.

    `unique`: attribute names by which the rows of this call differ, such as ("kind", "reference", "item_id").
    Rows come in one statement in the order given: give them in one order everywhere, so that two
    transactions which insert the same rows wait for each other and never in a circle.
    """
    if not rows:
        return []
    model = type(rows[0])
    sql = _insert(model, len(rows), tuple(unique))
    values = [_value(field, row) for row in rows for field in _written(model)]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        made = {tuple(answer[1:]): answer[0] for answer in cursor.fetchall()}
    return _with_keys(rows, unique, made)


@lru_cache
def _insert(model: type[models.Model], rows: int, unique: tuple[str, ...]) -> str:
    """The statement for so many rows; kept, for a rush asks for the same few again and again."""
    fields = _written(model)
    place = f"({', '.join(['%s'] * len(fields))})"
    return (
        f"INSERT INTO {_name(model._meta.db_table)} ({', '.join(_name(field.column) for field in fields)}) "  # noqa: S608
        f"VALUES {', '.join([place] * rows)} ON CONFLICT DO NOTHING "
        f"RETURNING {', '.join(_column(model, name) for name in (model._meta.pk.attname, *unique))}"
    )


@lru_cache
def _written(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    """The fields that a new row gives a value to; the database fills in the others."""
    return [
        field
        for field in model._meta.concrete_fields
        if not isinstance(field, models.AutoField) and not field.generated
    ]


def _with_keys(rows: Sequence[Row], unique: Sequence[str], made: dict[tuple[Any, ...], Any]) -> list[Row]:
    new = []
    for row in rows:
        key = made.get(tuple(getattr(row, name) for name in unique))
        if key is not None:
            row.pk = key
            row._state.adding = False
            new.append(row)
    return new


def delete_returning(
    model: type[models.Model], *, where: dict[str, Any], columns: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Delete the rows that match; return `columns` of those that this call deleted."""
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
    """The quoted column of a field, named as the model names it ("item") or as its rows do ("item_id")."""
    return next(
        _name(field.column) for field in model._meta.concrete_fields if name in (field.name, field.attname)
    )


def _name(name: str | None) -> str:
    if name is None:
        raise ValueError("A field without a column cannot be written.")
    return connection.ops.quote_name(name)
