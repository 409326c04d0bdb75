"""Paginated lists, newest first, with limits, cursors and `created` filters."""

import itertools
from collections.abc import Callable, Iterable

from fake_stripe.account import NOUNS, Call
from fake_stripe.errors import missing_object
from fake_stripe.store import Json


def page(call: Call, kind: str, url: str, keep: Callable[[Json], bool] = lambda row: True) -> Json:
    """A list object of the rows of `kind` in the call's mode for which `keep` is true."""
    table = call.account.store.table(kind)

    def wanted(row: Json) -> bool:
        return call.account.mode_of(row) == call.livemode and created_fits(call, row) and keep(row)

    if "ending_before" in call.params:
        newer = table.oldest_first(after=table.place(_cursor(call, kind, "ending_before")))
        rows, more = _take(call, filter(wanted, newer))
        return _list(list(reversed(rows)), more, url)
    start = None
    if "starting_after" in call.params:
        start = table.place(_cursor(call, kind, "starting_after"))
    return _list(*_take(call, filter(wanted, table.newest_first(before=start))), url)


def page_of(call: Call, rows: list[Json], url: str, noun: str) -> Json:
    """A list object of `rows`, which are already in list order."""
    ids = [row["id"] for row in rows]
    for cursor in ("starting_after", "ending_before"):
        if cursor in call.params and call.params[cursor] not in ids:
            raise missing_object(noun, call.params[cursor], param=cursor, status=400)
    if "ending_before" in call.params:
        newer = rows[: ids.index(call.params["ending_before"])]
        taken, more = _take(call, reversed(newer))
        return _list(list(reversed(taken)), more, url)
    start = ids.index(call.params["starting_after"]) + 1 if "starting_after" in call.params else 0
    return _list(*_take(call, rows[start:]), url)


def created_fits(call: Call, row: Json) -> bool:
    """Whether a row matches the `created` parameter, which is a timestamp or bounds."""
    wanted = call.params.get("created")
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return bool(row["created"] == wanted)
    checks = {
        "gt": lambda bound: row["created"] > bound,
        "gte": lambda bound: row["created"] >= bound,
        "lt": lambda bound: row["created"] < bound,
        "lte": lambda bound: row["created"] <= bound,
    }
    return all(checks[op](bound) for op, bound in wanted.items())


def _cursor(call: Call, kind: str, param: str) -> str:
    id = str(call.params[param])
    if call.account.get(kind, id, call.livemode) is None:
        raise missing_object(NOUNS.get(kind, kind), id, param=param, status=400)
    return id


def _take(call: Call, rows: Iterable[Json]) -> tuple[list[Json], bool]:
    limit = call.params.get("limit", 10)
    taken = list(itertools.islice(rows, limit + 1))
    return taken[:limit], len(taken) > limit


def _list(data: list[Json], more: bool, url: str) -> Json:
    return {"object": "list", "data": data, "has_more": more, "url": url}
