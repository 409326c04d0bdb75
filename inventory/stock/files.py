"""Stock changes of a CSV file: every line checked by reading only, then all of them recorded or none.

Few statements, however many lines: a file of 10,000 lines must neither take minutes nor keep other writers waiting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F
from django.db.models.fields.json import KeyTextTransform
from django.utils.translation import gettext as _

from inventory.csv_files import Row, Table, find_columns
from inventory.models import Movement, StockItem
from inventory.stock import ledger, oversold
from inventory.stock.changes import KINDS, ChangeRefused, Verb, parse_number
from inventory.stock.counts import MAX_COUNT

COLUMNS = {
    "product": ("product", "product id", "product_id", "sku", "product name", "name"),
    "size": ("size", ""),
    "number": ("quantity", "units", "number", "count", "stock", "new stock"),
    "was": ("was", ""),
}
MAX_LINES = 50_000
BATCH_SIZE = 500
NEEDED_FIELDS = ("on_hand", "pending", "held", "state", "size", "product__name")
# Item id, number, and the units that the number was based on, None for any.
Line = tuple[int, int, int | None]


@dataclass(frozen=True)
class FileChange:
    """One line. `number`: units received or taken, or the new total. `was`, `will_be`: units in stock, held included.

    `covered`: units of a delivery that are for orders that were oversold, so they do not add to the stock.
    """

    line: int
    item_id: int
    label: str
    number: int
    was: int
    will_be: int
    recorded_before: bool = False
    covered: int = 0


@dataclass
class Preview:
    """`problems` forbid the whole file. `stale` lines are left out. `blank`: lines without a number."""

    changes: list[FileChange] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    blank: int = 0

    @property
    def signed_units(self) -> str:
        return f"{sum(change.will_be - change.was for change in self.changes):+d}"

    @property
    def covered(self) -> int:
        return sum(change.covered for change in self.changes)


@dataclass(frozen=True)
class _Item:
    pk: int
    product_id: str
    name: str
    size: str
    key: str
    state: str
    units: int

    @property
    def label(self) -> str:
        return f"{self.name or self.product_id} {self.size}".strip()

    @property
    def why_not_counted(self) -> str:
        if self.state == StockItem.State.NOT_TRACKED:
            return f"{self.label} is sold without counting."
        return f"{self.label} has no valid count. Enter the number at Stripe, as {self.key}."


class CountsMoved(ChangeRefused):
    """Counts are no longer those that the change was based on. Nothing was recorded. `moved`: a sentence for each."""

    def __init__(self, moved: list[str]) -> None:
        super().__init__(" ".join(moved[:20]))
        self.moved = moved


class ItemIndex:
    """All listed sizes, to be found by the names that people write. One query; memory grows with the catalog."""

    def __init__(self) -> None:
        self._products: dict[str, dict[str, _Item]] = {}
        self._ids: dict[str, set[str]] = {}
        rows = (
            StockItem.objects.filter(product__deleted=False)
            .annotate(sku=KeyTextTransform("sku", "product__metadata"))
            .order_by("product_id", "position", "pk")
            .values_list(
                "pk", "product_id", "product__name", "size", "key", "state", "on_hand", "pending", "sku"
            )
        )
        for pk, product_id, name, size, key, state, on_hand, pending, sku in rows.iterator(chunk_size=2000):
            item = _Item(pk, product_id, name, size, key, state, (on_hand or 0) + pending)
            self._products.setdefault(product_id, {})[key] = item
            for alias in filter(None, (sku, name.strip().casefold())):
                self._ids.setdefault(alias, set()).add(product_id)

    def find(self, name: str, size: str) -> _Item:
        """The size of the product with this id, SKU or name. Raises ChangeRefused."""
        known = self._ids.get(name) or self._ids.get(name.casefold()) or set()
        ids = [name] if name in self._products else sorted(known)
        if not ids:
            raise ChangeRefused(f"There is no product “{name}”. Give its id, its SKU or its exact name.")
        if len(ids) > 1:
            raise ChangeRefused(
                f"“{name}” is more than one product ({', '.join(ids[:3])}). Use the product's id."
            )
        items = self._products[ids[0]].values()
        for matches in (
            [item for item in items if size in (item.size, item.key)],
            [item for item in items if item.size.casefold() == size.casefold()],
        ):
            if len(matches) == 1:
                return matches[0]
        item, sizes = next(iter(items)), ", ".join(item.size or item.key for item in items)
        if not size:
            raise ChangeRefused(f"{item.name} comes in sizes. Say which: {sizes}.")
        raise ChangeRefused(f"{item.name} has no size “{size}”; it has {sizes}.")


def preview(table: Table, verb: Verb, *, reference: str) -> Preview:
    """What the file would change now. Reads only. Raises CsvProblem if the file cannot be used at all."""
    columns = find_columns(table, COLUMNS)
    index, result = ItemIndex(), Preview()
    before = dict(
        Movement.objects.filter(kind=KINDS[verb], reference=reference).values_list("item_id", "delta")
    )
    owed = oversold.owed_by_item() if verb == Verb.RECEIVE else {}
    seen: dict[int, int] = {}
    for number, row in enumerate(table.rows(), start=1):
        if row.problem:
            result.problems.append(row.problem)
        elif number > MAX_LINES:
            result.problems.append(f"Line {row.line}: the file has more than {MAX_LINES} lines. Split it.")
            break
        else:
            try:
                _add(row, columns, verb, index, seen, before, owed, result)
            except ChangeRefused as exc:
                result.problems.append(f"Line {row.line}: {exc}")
    return result


def preview_again(lines: Iterable[Sequence[int]], verb: Verb) -> Preview:
    """What (item id, number, units then) of an earlier preview would change now. An item that is gone is a problem."""
    result = Preview()
    given = {pk: number for pk, number, _was in lines}
    owed = oversold.owed_by_item() if verb == Verb.RECEIVE else {}
    ids = sorted(given)
    for start in range(0, len(ids), BATCH_SIZE):
        part = ids[start : start + BATCH_SIZE]
        for item in StockItem.objects.filter(pk__in=part).select_related("product").order_by("pk"):
            was, number = (item.on_hand or 0) + item.pending, given[item.pk]
            covered = min(number, owed.get(item.pk, 0))
            will_be = {Verb.RECEIVE: was + number - covered, Verb.TAKE: was - number, Verb.COUNT: number}[
                verb
            ]
            if item.state != StockItem.State.COUNTED:
                result.problems.append(f"{item} is no longer counted. Choose the file again.")
            result.changes.append(FileChange(0, item.pk, str(item), number, was, will_be, covered=covered))
    return result


def _add(
    row: Row,
    columns: dict[str, str],
    verb: Verb,
    index: ItemIndex,
    seen: dict[int, int],
    before: dict[int, int],
    owed: dict[int, int],
    result: Preview,
) -> None:
    if not row.get(columns["number"]):
        result.blank += 1
        return
    item = index.find(unescaped(row.get(columns["product"])), unescaped(row.get(columns["size"])))
    number = parse_number(row.get(columns["number"]))
    if (other := seen.setdefault(item.pk, row.line)) != row.line:
        raise ChangeRefused(f"{item.label} is in line {other} already. Add the numbers up.")
    if item.state != StockItem.State.COUNTED:
        raise ChangeRefused(item.why_not_counted)
    if (was := row.get(columns["was"])) and parse_number(was) != item.units and item.pk not in before:
        result.stale.append(
            f"Line {row.line}: {item.label} is left out: it was {was} when the file was made, and is {item.units} now."
        )
        return
    delta = {Verb.RECEIVE: number, Verb.TAKE: -number, Verb.COUNT: number - item.units}[verb]
    covered = 0
    if item.pk in before:
        if verb != Verb.COUNT and before[item.pk] != delta:
            raise ChangeRefused(
                f"This reference was used for {item.label} before, with {before[item.pk]:+d}. Use another reference."
            )
        delta = 0
    elif not number and verb != Verb.COUNT:
        raise ChangeRefused(f"{item.label}: 0 units change nothing. Leave the number out.")
    elif item.units + delta < 0:
        raise ChangeRefused(f"{item.label}: only {item.units} in stock.")
    elif item.units + delta > MAX_COUNT:
        raise ChangeRefused(f"{item.label}: a count has six digits at most. There are {item.units} already.")
    else:
        covered = min(number, owed.get(item.pk, 0))
    will_be = item.units + delta - covered
    result.changes.append(
        FileChange(row.line, item.pk, item.label, number, item.units, will_be, item.pk in before, covered)
    )


def unescaped(text: str) -> str:
    # Without the apostrophe that our own exports put before a formula.
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@") else text


def record(changes: Iterable[Line], verb: Verb, *, reference: str, reason: str, actor: str) -> int:
    """Record all lines or none. Returns the number of new movements; an item whose reference is known adds none.

    Raises CountsMoved if any count is not the one that its line was based on.
    """
    ordered = sorted(
        changes, key=lambda line: line[0]
    )  # By primary key, the order in which every writer locks items.
    moved: list[str] = []
    new = 0
    with transaction.atomic():
        for start in range(0, len(ordered), BATCH_SIZE):
            batch = ordered[start : start + BATCH_SIZE]
            ids = [pk for pk, _number, _was in batch]
            locked = StockItem.objects.select_for_update(of=("self",)).filter(pk__in=ids).order_by("pk")
            names = locked.select_related("product").only(*NEEDED_FIELDS)
            items = {item.pk: item for item in names}
            known = set(
                Movement.objects.filter(kind=KINDS[verb], reference=reference, item__in=ids).values_list(
                    "item_id", flat=True
                )
            )
            deltas: dict[StockItem, int] = {}
            for pk, number, was in batch:
                item = items.get(pk)
                if item is None or pk in known:
                    continue
                units = (item.on_hand or 0) + item.pending
                if (was is not None and units != was) or item.state != StockItem.State.COUNTED:
                    moved.append(
                        _("%(item)s was %(was)d, and is %(units)d now.")
                        % {"item": item, "was": was or 0, "units": units}
                    )
                delta = {Verb.RECEIVE: number, Verb.TAKE: -number, Verb.COUNT: number - units}[verb]
                if delta:
                    deltas[item] = delta
            if not moved:
                new += ledger.record_many(
                    KINDS[verb], deltas, reference=reference, reason=reason, actor=actor
                )
                # Read while the items are locked: a decision locks its item, too.
                owed = oversold.owed_by_item() if verb == Verb.RECEIVE else {}
                for item in (item for item in deltas if item.pk in owed):
                    ledger.cover_owed(item.pk, deltas[item], reference=reference, actor=actor)
        if moved:
            raise CountsMoved(moved)
    return new


def count_sheet() -> Iterator[list[str | int]]:
    """The lines of a file for counting the shelves: what the books say, and an empty cell for what is there."""
    items = StockItem.objects.filter(
        is_listed=True, product__deleted=False, state=StockItem.State.COUNTED
    ).order_by("product__name", "product_id", "position", "pk")
    rows = items.annotate(units=F("on_hand") + F("pending")).values_list(
        "product_id", "product__name", "size", "units"
    )
    for product_id, name, size, units in rows.iterator(chunk_size=2000):
        yield [product_id, name, size, units, ""]
