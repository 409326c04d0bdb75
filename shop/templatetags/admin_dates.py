"""Links to years, months and days above a list of the admin, from the times of its first and last row only."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _

register = template.Library()


@register.inclusion_tag("admin/date_hierarchy.html")
def date_links(cl: Any) -> dict[str, Any]:
    """What Django's own tag shows, which reads and truncates the time of every row.

    The list's own order has to be that of `date_hierarchy`. Periods between the first and the last row are shown even if a
    filter leaves nothing of them.
    """
    name = cl.date_hierarchy
    at = {part: cl.params.get(f"{name}__{part}") for part in ("year", "month", "day")}

    def link(**parts: Any) -> str:
        chosen = {f"{name}__{part}": value for part, value in parts.items()}
        return str(cl.get_query_string(chosen, [f"{name}__"]))

    first, last = _first_and_last(cl)
    if first is None or last is None:
        return {"show": True, "back": None, "choices": []}
    if not any(at.values()) and first.year == last.year:
        at["year"] = first.year
        at["month"] = first.month if first.month == last.month else None
    if not at["year"]:
        years = range(first.year, last.year + 1)
        return _shown(None, [(str(year), link(year=year)) for year in years])
    year = int(at["year"])
    if not at["month"]:
        months = [date(year, month, 1) for month in range(1, 13)]
        inside = [month for month in months if first.replace(day=1) <= month <= last]
        links = [
            (date_format(month, "YEAR_MONTH_FORMAT"), link(year=year, month=month.month)) for month in inside
        ]
        return _shown((_("All dates"), link()), links)
    month = int(at["month"])
    if at["day"]:
        day = date(year, month, int(at["day"]))
        back = date_format(day, "YEAR_MONTH_FORMAT"), link(year=year, month=month)
        return _shown(back, [(date_format(day, "MONTH_DAY_FORMAT"), "")])
    days = [date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1)]
    links = [
        (date_format(day, "MONTH_DAY_FORMAT"), link(year=year, month=month, day=day.day))
        for day in days
        if first <= day <= last
    ]
    return _shown((str(year), link(year=year)), links)


def _first_and_last(cl: Any) -> tuple[date | None, date | None]:
    rows = cl.root_queryset.prefetch_related(None).order_by(*cl._get_default_ordering())
    times = rows.values_list(cl.date_hierarchy, flat=True)
    last, first = (_day(some) for some in (times.first(), times.last()))
    return first, last


def _day(at: datetime | None) -> date | None:
    return timezone.localdate(at) if at else None


def _shown(back: tuple[str, str] | None, links: list[tuple[str, str]]) -> dict[str, Any]:
    rows = [{"title": capfirst(title), "link": link} for title, link in links]
    return {
        "show": True,
        "back": back and {"title": capfirst(back[0]), "link": back[1]},
        "choices": rows,
    }
