"""Pages of lists that grow with the age of the shop: they cost as much after years as in the first week."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

AHEAD = 10  # pages that are counted beyond the one that is shown
FURTHEST = 10**9  # Larger numbers are no page, and too large for a database.


class AtLeast(int):
    """A count that was broken off. Shown as “600+”."""

    def __str__(self) -> str:
        return f"{int(self):d}+"


class NearbyPaginator(Paginator):  # type: ignore[type-arg]
    """Counts the rows up to AHEAD pages after page `near`, and not those of all years.

    There is always a link to the next page while rows are left.
    """

    def __init__(self, object_list: Any, per_page: int, *args: Any, near: str | None = "1", **options: Any):
        super().__init__(object_list, per_page, *args, **options)
        self.near = min(int(near), FURTHEST) if near and near.isdecimal() else 1

    @cached_property
    def count(self) -> int:
        most = (self.near + AHEAD) * self.per_page
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        # In the order of the page, so that the index of the one serves the other.
        found = rows.values("pk")[: most + 1].count()
        return AtLeast(most) if found > most else found
