"""Queries whose SQL is built once in a process.

Django takes 200 µs to build the query for a row and to compile it, and SQLite 20 µs to answer it. The worker asks for the
same few rows over and over.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Expression, QuerySet
from django.db.models.query import ModelIterable
from django.db.transaction import TransactionManagementError

Row = TypeVar("Row")


class KeptQuery(Generic[Row]):
    """A queryset with parameters, such as `KeptQuery(lambda product_id: ProductSync.objects.filter(pk=product_id))`.

    `build` is called once for each kind of database, with placeholders, so it must not look at its parameters. Each is
    compared with a field as a string, a number, a datetime or a UUID. A list, as after `__in`, cannot be a parameter. What
    has a default keeps it.
    A model's rows have no related rows with them.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Row]]) -> None:
        self._build = build
        parameters = inspect.signature(build).parameters.values()
        self._number = sum(parameter.default is parameter.empty for parameter in parameters)
        self._statements: dict[tuple[str, str], _Statement] = {}

    def all(self, *values: object) -> list[Row]:
        return self._statement("all", lambda rows: rows).rows(values)

    def first(self, *values: object) -> Row | None:
        """The first row in the order of the queryset, or None."""
        return next(iter(self.all(*values)), None)

    def get(self, *values: object) -> Row:
        """The only row. Raises the model's DoesNotExist or MultipleObjectsReturned."""
        statement = self._statement("all", lambda rows: rows)
        rows: list[Row] = statement.rows(values)
        if len(rows) == 1:
            return rows[0]
        if rows:
            raise statement.model.MultipleObjectsReturned(f"{len(rows)} rows for {values}")
        raise statement.model.DoesNotExist(f"no {statement.model._meta.verbose_name} for {values}")

    def exists(self, *values: object) -> bool:
        first_key = self._statement("exists", lambda rows: rows.order_by().values_list("pk")[:1])
        return bool(first_key.rows(values))

    def count(self, *values: object) -> int:
        return self._statement("count", lambda rows: rows.order_by().values_list("pk")).count(values)

    def _statement(self, use: str, change: Callable[[Any], QuerySet[Any, Any]]) -> _Statement:
        key = (connection.vendor, use)
        if key not in self._statements:
            placeholders = [_Parameter(place) for place in range(self._number)]
            self._statements[key] = _Statement.of(change(self._build(*placeholders)))
        return self._statements[key]


def any_rows(query: Callable[[], QuerySet[Any, Any]]) -> bool:
    """Whether `query()` has rows. It must always return the same queryset."""
    return _kept(query).exists()


def count_rows(query: Callable[[], QuerySet[Any, Any]]) -> int:
    """The number of rows of `query()`, on the same terms as `any_rows`."""
    return _kept(query).count()


@lru_cache
def _kept(query: Callable[[], QuerySet[Any, Any]]) -> KeptQuery[Any]:
    return KeptQuery(query)


class _Parameter(Expression):
    """Stands in the query for a value that is known later, at this place among the parameters."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place

    def as_sql(self, compiler: object, connection: object) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)


@dataclass(frozen=True)
class _Statement:
    model: Any
    sql: str
    parameters: tuple[Any, ...]
    # Attribute names of a model's row; None for a tuple.
    names: list[str] | None
    # For each place of a row that the database returns in another form: functions (value, expression, connection).
    converters: list[tuple[int, list[Callable[..., Any]], Any]]
    locks: bool

    @classmethod
    def of(cls, queryset: QuerySet[Any, Any]) -> _Statement:
        compiler = queryset.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        expressions = [expression for expression, _sql, _alias in compiler.select]
        is_model = issubclass(queryset._iterable_class, ModelIterable)
        if is_model and (queryset.query.select_related or queryset.query.annotation_select):
            raise ValueError("a kept query returns a model's own fields only")
        return cls(
            model=queryset.model,
            sql=sql,
            parameters=tuple(parameters),
            names=[expression.target.attname for expression in expressions] if is_model else None,
            converters=[
                (place, converters, expression)
                for place, (converters, expression) in compiler.get_converters(expressions).items()
            ],
            locks=queryset.query.select_for_update,
        )

    def rows(self, values: tuple[object, ...]) -> list[Any]:
        if self.locks and not connection.in_atomic_block:
            raise TransactionManagementError("rows can be locked only in a transaction")
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self._bound(values))
            found: list[Any] = cursor.fetchall()
        rows = [self._converted(row) for row in found] if self.converters else found
        if self.names is None:
            return [tuple(row) for row in rows]
        return [self.model.from_db(connection.alias, self.names, row) for row in rows]

    def count(self, values: tuple[object, ...]) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({self.sql}) AS found", self._bound(values))  # noqa: S608
            return int(cursor.fetchone()[0])

    def _bound(self, values: tuple[object, ...]) -> list[Any]:
        return [
            _adapted(values[one.place]) if isinstance(one, _Parameter) else one for one in self.parameters
        ]

    def _converted(self, row: Iterable[Any]) -> list[Any]:
        changed = list(row)
        for place, converters, expression in self.converters:
            for convert in converters:
                changed[place] = convert(changed[place], expression, connection)
        return changed


def _adapted(value: object) -> object:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    return value
