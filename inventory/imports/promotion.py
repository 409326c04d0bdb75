"""Copy the catalog of one Stripe account or mode into another, repeatably: the plan, and its execution.

Ids differ between accounts, so a copy names its original in its metadata (`promoted_from`). Stripe's prices cannot be
changed: a price with other terms is created, becomes the default where the old one was, and the old one is archived last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.stripe_client import InvalidRequest
from inventory.imports.drafts import HANDLE_KEY, MAX_KEYS, UNFINISHED_KEY
from inventory.imports.upload import Pace
from shop import metadata as shop_metadata
from shop.gateway import COPIED_FIELDS, CatalogAccount, CopiedPrice, CopiedProduct
from shop.money import decimal_text

PROMOTED_FROM = "promoted_from"
# What the shop reads goes away with the original's; other keys may have been added to the copy by its owner.
MIRRORED_KEYS = {*shop_metadata.KEYS, *shop_metadata.LINK_KEYS}
Progress = Callable[["ProductPlan"], None]


class Blocked(ValueError):
    """One product cannot be copied; the message is a sentence."""


@dataclass
class ProductPlan:
    """What has to be done for one product. `target` is None if it is created.

    `prices`: the copy of each original price, by its id, None for those to be created.
    """

    source: CopiedProduct
    target: CopiedProduct | None
    changes: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    prices: dict[str, CopiedPrice | None] = field(default_factory=dict)
    price_changes: list[tuple[CopiedPrice, dict[str, Any]]] = field(default_factory=list)
    new_prices: list[tuple[CopiedPrice, dict[str, Any]]] = field(default_factory=list)
    archived: list[CopiedPrice] = field(default_factory=list)
    default: str = ""  # the original of the price that becomes the default

    @property
    def name(self) -> str:
        return str(self.source.fields["name"])

    @property
    def is_needed(self) -> bool:
        parts = (
            self.changes,
            self.metadata,
            self.price_changes,
            self.new_prices,
            self.archived,
            self.default,
        )
        return self.target is None or any(parts)

    @property
    def advice(self) -> str:
        texts = {**(self.target.metadata if self.target else {}), **self.metadata}
        if len([text for text in texts.values() if text]) <= MAX_KEYS:
            return ""
        return f" It would need more than Stripe's {MAX_KEYS} metadata keys."

    def lines(self) -> Iterator[str]:
        if self.target is None:
            yield f"create {self.name}, a copy of {self.source.id}"
        elif changed := [*self.changes, *(f"metadata {key}" for key in self.metadata)]:
            yield f"{self.name} ({self.target.id}): change {', '.join(changed)}"
        for price, _params in self.new_prices:
            yield f"{self.name}: new price {_described(price)}"
        for price, changes in self.price_changes:
            yield f"{self.name}: price {price.id}: change {', '.join(changes)}"
        if self.default and self.target is not None:
            yield f"{self.name}: another default price"
        for price in self.archived:
            yield f"{self.name}: archive the old price {_described(price)} ({price.id})"


@dataclass
class Promotion:
    """The plans of all products, and sentences about what is left as it is."""

    plans: list[ProductPlan] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def needed(self) -> list[ProductPlan]:
        return [plan for plan in self.plans if plan.is_needed]


def same_account(source: Iterable[CopiedProduct], target: Iterable[CopiedProduct]) -> bool:
    """Whether both are one account and mode: Stripe chooses the ids of prices, so no other has them."""
    ids = {price.id for product in source for price in product.prices}
    return any(price.id in ids for product in target for price in product.prices)


# --- The plan -----------------------------------------------------------------------------------


def make_plan(
    source: Sequence[CopiedProduct],
    target: Sequence[CopiedProduct],
    *,
    only: Sequence[str] = (),
    with_stock: bool = False,
) -> Promotion:
    """Compare both catalogs. Products of the target that are no copies are never changed."""
    promotion = Promotion()
    find = _Finder(source, target)
    lookup_keys = {price.lookup_key: price for product in target for price in product.prices}
    for product in source:
        if only and product.id not in only:
            continue
        try:
            copy = find(product)
        except Blocked as exc:
            promotion.blocked.append(str(exc))
            continue
        if copy is None and not product.active:
            continue
        if UNFINISHED_KEY in product.metadata:
            promotion.blocked.append(f"{product.fields['name']}: its import is not finished.")
            continue
        plan = ProductPlan(product, copy)
        _plan_product(plan, with_stock=with_stock)
        _plan_prices(plan, lookup_keys, promotion.notes)
        promotion.plans.append(plan)
    there = {product.id for product in source}
    for product in target:
        origin = product.metadata.get(PROMOTED_FROM)
        if origin and product.active and origin not in there:
            promotion.notes.append(
                f"{product.fields['name']} ({product.id}): its original {origin} is deleted; the copy stays on sale. "
                "Archive it at Stripe if it should not."
            )
    promotion.notes += [f"There is no product {each}." for each in only if each not in there]
    return promotion


class _Finder:
    # The copy of a product: by its metadata, or a twin of the same id or of the same import.
    def __init__(self, source: Sequence[CopiedProduct], target: Sequence[CopiedProduct]) -> None:
        self._target = target
        self._by_id = {product.id: product for product in target}
        ids = {product.id for product in source}
        # A copy of a product that is not here (any more) is no copy of another one.
        self._free = [each for each in target if each.metadata.get(PROMOTED_FROM) not in ids]
        self._promoted_back = Counter(product.metadata.get(PROMOTED_FROM) for product in source)

    def __call__(self, product: CopiedProduct) -> CopiedProduct | None:
        name = product.fields["name"]
        copies = [each for each in self._target if each.metadata.get(PROMOTED_FROM) == product.id]
        if len(copies) > 1:
            ids = " and ".join(each.id for each in copies)
            raise Blocked(
                f"{name}: {ids} both say {PROMOTED_FROM}: {product.id}. Remove this metadata from the one that was "
                "duplicated."
            )
        if copies:
            return copies[0]
        original = product.metadata.get(PROMOTED_FROM, "")
        if original in self._by_id and self._promoted_back[original] == 1:
            return self._by_id[original]  # It was promoted in the other direction.
        handle = product.metadata.get(HANDLE_KEY)
        for each in self._free:
            if each.id == product.id or (handle and each.metadata.get(HANDLE_KEY) == handle):
                return each
        for each in self._free:
            if product.active and each.active and each.fields["name"] == name:
                raise Blocked(
                    f"{name}: {each.id} has the same name and is no copy. Give it the metadata {PROMOTED_FROM}: "
                    f"{product.id} to update it, or rename or archive it."
                )
        return None


def _plan_product(plan: ProductPlan, *, with_stock: bool) -> None:
    source, target = plan.source, plan.target
    there = target.metadata if target else {}
    wanted = {PROMOTED_FROM: source.id}
    for key, text in source.metadata.items():
        is_count = key.startswith(shop_metadata.STOCK_KEY_PREFIX) or key == shop_metadata.SINGLE_ITEM_KEY
        if key in (shop_metadata.VERSION_KEY, PROMOTED_FROM, UNFINISHED_KEY):
            continue
        # A count that is there already is the truth of that account.
        if not is_count or (with_stock and key not in there):
            wanted[key] = text
    plan.metadata = {key: text for key, text in wanted.items() if there.get(key) != text}
    plan.metadata |= dict.fromkeys(sorted(MIRRORED_KEYS & there.keys() - wanted.keys()), "")
    if target is None:
        plan.changes = dict(source.fields)
        return
    for name in COPIED_FIELDS:
        value = source.fields.get(name, "")
        # `shippable` cannot be unset.
        if target.fields.get(name, "") != value and not (name == "shippable" and value == ""):
            plan.changes[name] = value
    if source.active != target.active:
        plan.changes["active"] = source.active


def _plan_prices(plan: ProductPlan, lookup_keys: Mapping[str, CopiedPrice], notes: list[str]) -> None:
    theirs = list(plan.target.prices) if plan.target else []
    for price in plan.source.prices:
        if price.active and price.obstacle:
            notes.append(f"{plan.name}: {price.id} {price.obstacle}, which the shop does not sell: left out.")
        elif price.active:
            # Its promoted copy, or else a price of the same terms and size that was made by hand.
            same = [each for each in theirs if each.terms == price.terms]
            copies = [each for each in same if each.metadata.get(PROMOTED_FROM) == price.id]
            unmarked = [each for each in same if each.active and PROMOTED_FROM not in each.metadata]
            copies += [each for each in unmarked if _size(each) == _size(price)]
            copy = next(iter(copies), None)
            plan.prices[price.id] = copy
            if copy is None:
                plan.new_prices.append((price, _price_params(price, plan, lookup_keys, notes)))
            else:
                theirs.remove(copy)
                if changes := _price_changes(price, copy):
                    plan.price_changes.append((copy, changes))
    # Copies of prices that are archived at the original, or have other terms now.
    plan.archived = [each for each in theirs if each.active and PROMOTED_FROM in each.metadata]
    by_hand = [each for each in theirs if each.active and PROMOTED_FROM not in each.metadata]
    notes += [f"{plan.name}: {_described(each)} ({each.id}) was made by hand and stays." for each in by_hand]
    default = plan.source.default_price_id
    copied = plan.prices.get(default)
    if default in plan.prices and not (copied and plan.target and copied.id == plan.target.default_price_id):
        plan.default = default
    elif plan.target and plan.target.default_price_id in {each.id for each in plan.archived}:
        # Stripe does not archive a default price.
        plan.archived = [each for each in plan.archived if each.id != plan.target.default_price_id]
        notes.append(f"{plan.name}: its default price stays, because the original has none.")


def _price_changes(price: CopiedPrice, copy: CopiedPrice) -> dict[str, Any]:
    wanted = {**_without_origin(price.metadata), PROMOTED_FROM: price.id}
    metadata = {key: text for key, text in wanted.items() if copy.metadata.get(key) != text}
    if "size" in copy.metadata and "size" not in wanted:
        metadata["size"] = ""
    changes: dict[str, Any] = {"metadata": metadata} if metadata else {}
    if not copy.active:
        changes["active"] = True
    if copy.nickname != price.nickname:
        changes["nickname"] = price.nickname
    return changes


def _price_params(
    price: CopiedPrice, plan: ProductPlan, lookup_keys: Mapping[str, CopiedPrice], notes: list[str]
) -> dict[str, Any]:
    metadata = {**_without_origin(price.metadata), PROMOTED_FROM: price.id}
    params: dict[str, Any] = {**price.terms, "metadata": metadata}
    if price.nickname:
        params["nickname"] = price.nickname
    if price.lookup_key:
        holder = lookup_keys.get(price.lookup_key)
        if holder is None or (plan.target is not None and holder.product_id == plan.target.id):
            params |= {"lookup_key": price.lookup_key, "transfer_lookup_key": True}
        else:
            notes.append(
                f"{plan.name}: the lookup key {price.lookup_key} belongs to {holder.id} and stays there."
            )
    return params


def _without_origin(metadata: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in metadata.items() if key != PROMOTED_FROM}


def _size(price: CopiedPrice) -> str:
    return price.metadata.get("size", "")


def _described(price: CopiedPrice) -> str:
    currency, amount = price.terms["currency"], price.terms.get("unit_amount")
    shown = decimal_text(amount, currency) if amount is not None else price.terms.get("unit_amount_decimal")
    size = f" for {_size(price)}" if _size(price) else ""
    more = (
        f" (and {len(price.terms['currency_options'])} currencies)"
        if "currency_options" in price.terms
        else ""
    )
    return f"{shown} {currency.upper()}{more}{size}"


# --- Its execution ------------------------------------------------------------------------------


def carry_out(
    promotion: Promotion,
    account: CatalogAccount,
    *,
    pace: Pace | None = None,
    progress: Progress | None = None,
) -> int:
    """Returns the number of products that were created or changed; `failed` has a sentence for each that Stripe refused.

    Raises StripeCallError if Stripe cannot be used at all. The next run continues.
    """
    pace, done = pace or Pace(), 0
    for plan in promotion.needed:
        try:
            _carry_out(plan, account, pace)
        except InvalidRequest as exc:
            promotion.failed.append(f"{plan.name} ({plan.source.id}): Stripe refused it: {exc}{plan.advice}")
        else:
            done += 1
            if progress:
                progress(plan)
    return done


def _carry_out(plan: ProductPlan, account: CatalogAccount, pace: Pace) -> None:
    target_id = plan.target.id if plan.target else ""
    changes = dict(plan.changes)
    if plan.metadata:
        changes["metadata"] = plan.metadata
    if plan.target is None:
        # Archived until all prices are there: no size is ever sold at another one's price.
        pace.wait()
        target_id = account.create_product({**changes, "active": False})
        changes = {"active": True}
    ids = {original: copy.id for original, copy in plan.prices.items() if copy}
    for price, params in plan.new_prices:
        pace.wait()
        ids[price.id] = account.create_price({**params, "product": target_id})
    for price, params in plan.price_changes:
        pace.wait()
        account.update_price(price.id, params)
    if plan.default:
        changes["default_price"] = ids[plan.default]
    if changes:
        pace.wait()
        account.update_product(target_id, changes)
    # Last: Stripe does not archive a default price.
    for price in plan.archived:
        pace.wait()
        account.update_price(price.id, {"active": False})
