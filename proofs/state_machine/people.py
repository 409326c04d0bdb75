"""Actions of people in the Stripe Dashboard: edits of every kind, recorded in the books with what was intended."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from proofs.state_machine.books import Edit, Key
from proofs.state_machine.stage import Stage
from proofs.state_machine.wire import VERSION_KEY, is_count

INVALID_COUNTS = ["abc", "1_0", "+5", "٣", "-2", "L 4", "1e3", "0x10", "1234567", "twelve"]
FORM_LIFE = 60 * 24 * 3600  # Seconds. An older form whose version was replaced may be an issue.
CHANGES = [-3, -2, -1, 1, 2, 3, 5, 8]


@dataclass(frozen=True)
class Form:
    """The metadata form of a product, opened in the Dashboard and not yet saved."""

    product: str
    shown: dict[str, str]
    opened_at: float


class People:
    """The people with a login at Stripe."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.books, self.fake = stage, stage.books, stage.fake
        self.forms: list[Form] = []
        self._meant: list[tuple[Key, int]] = []

    def metadata(self, product: str) -> dict[str, str]:
        metadata: dict[str, str] = self.fake.products[product]["metadata"]
        return metadata

    def shown(self, key: Key) -> int:
        """The count that a person assumes: the current one or, if that is invalid, the last valid one."""
        text = self.metadata(key[0]).get(key[1])
        return int(text) if text is not None and is_count(text) else self.books.last_readable[key]

    def is_readable(self, key: Key) -> bool:
        return is_count(self.metadata(key[0]).get(key[1]))

    def _save(self, product: str, changes: dict[str, str]) -> None:
        # Every edit goes through here, so that the books keep the last valid count.
        self._remember(product)
        self.fake.dashboard.names_requests = self.stage.dice.random() < 0.8
        before = len(self.fake.events)
        self.fake.dashboard.edit_product(product, metadata=changes)
        events = tuple(list(self.fake.events)[before:])
        edits = [Edit(key, difference, events) for key, difference in self._meant]
        self.books.edit_log += edits
        if self.books.restored and self.stage.trouble.late:
            # An update of the lost database is still on its way and may overwrite this edit.
            self.books.unheard += edits
        self._meant.clear()
        self._remember(product)

    def _remember(self, product: str) -> None:
        for key in self.stage.keys_of(product):
            text = self.metadata(product).get(key[1])
            if text is not None and is_count(text):
                self.books.last_readable[key] = int(text)

    def _set(self, key: Key, count: int) -> None:
        self._mean(key, count - self.shown(key))
        self._save(key[0], {key[1]: self._written(count)})

    def _mean(self, key: Key, difference: int) -> None:
        self.books.edits[key] += difference
        self._meant.append((key, difference))
        if difference < 0:
            self.books.somebody_took.add(key)

    def _written(self, count: int) -> str:
        return f" {count} " if self.stage.dice.random() < 0.1 else str(count)

    # --- actions

    def edit_by_some(self, dice: Random) -> bool:
        """Add or remove some units, such as three more after a delivery."""
        key = dice.choice(self.stage.keys)
        if not self.is_readable(key):
            return False
        self._set(key, max(0, self.shown(key) + dice.choice(CHANGES)))
        return True

    def edit_to_a_number(self, dice: Random) -> bool:
        """Set a count, such as seven after counting the shelf."""
        key = dice.choice(self.stage.keys)
        if not self.is_readable(key):
            return False
        self._set(key, dice.randint(0, 15))
        return True

    def make_invalid(self, dice: Random) -> bool:
        key = dice.choice(self.stage.keys)
        if not self.is_readable(key):
            return False
        self.books.doubtful.add(key[0])
        self._save(key[0], {key[1]: "" if dice.random() < 0.3 else dice.choice(INVALID_COUNTS)})
        return True

    def correct(self, dice: Random) -> bool:
        keys = [key for key in self.stage.keys if not self.is_readable(key)]
        if not keys:
            return False
        key = dice.choice(keys)
        self._set(key, max(0, self.shown(key) + dice.choice([0, 0, -1, 1, 3])))
        return True

    def open_form(self, dice: Random) -> bool:
        product = dice.choice(self.stage.products)
        shown = self.fake.dashboard.read_form(product)
        if not all(self.is_readable(key) for key in self.stage.keys_of(product)):
            return False
        self.forms.append(Form(product, shown, self.fake.clock.exact()))
        return True

    def save_form(self, dice: Random) -> bool:
        """Save an open form: every key is posted as the form showed it, with at most one count changed."""
        if not self.forms:
            return False
        form = self.forms.pop(dice.randrange(len(self.forms)))
        keys = self.stage.keys_of(form.product)
        chosen = dice.choice(keys)
        new = int(form.shown[chosen[1]]) + (dice.choice(CHANGES) if dice.random() < 0.7 else 0)
        self._judge_form(form)
        if new != int(form.shown[chosen[1]]) and self._stood(form, {chosen[1]: max(0, new)}):
            # With the typed count it equals an older form that was saved unchanged.
            self.books.doubtful.add(form.product)
        self._mean(chosen, max(0, new) - int(form.shown[chosen[1]]))
        self.books.somebody_took.update(keys)
        counts = {VERSION_KEY, *(key for _product, key in self.stage.keys)}
        posted = {key: text for key, text in form.shown.items() if key in counts}
        self._save(form.product, {**posted, chosen[1]: str(max(0, new))})
        return True

    def _judge_form(self, form: Form) -> None:
        """Record in the books if the form cannot be distinguished from an edit."""
        current, keys = self.metadata(form.product), self.stage.keys_of(form.product)
        changed = any(current.get(key) != form.shown[key] for _product, key in keys)
        tag = form.shown.get(VERSION_KEY)
        ours = tag is not None and not tag.startswith("another/")
        if changed and (not ours or tag == current.get(VERSION_KEY)):
            self.books.undecided.update(keys)
        is_old = self.fake.clock.exact() - form.opened_at > FORM_LIFE and tag != current.get(VERSION_KEY)
        if changed or is_old:
            self.books.doubtful.add(form.product)

    def _stood(self, form: Form, typed: dict[str, int]) -> bool:
        """Whether the form's counts, with those `typed`, ever stood at Stripe under the form's version tag."""
        counts = {key: int(form.shown[key]) for _product, key in self.stage.keys_of(form.product)} | typed
        return any(
            event["data"]["object"]["metadata"].get(VERSION_KEY) == form.shown.get(VERSION_KEY)
            and all(_says(event["data"]["object"]["metadata"], key, count) for key, count in counts.items())
            for event in self.fake.events.values()
            if event["type"] == "product.updated" and event["data"]["object"]["id"] == form.product
        )

    def remove_version_tag(self, dice: Random) -> bool:
        product = dice.choice(self.stage.products)
        if VERSION_KEY not in self.metadata(product):
            return False
        self._save(product, {VERSION_KEY: ""})
        return True

    def another_shop_writes(self, dice: Random) -> bool:
        """A second database on the same account sells two units and leaves its own version tag."""
        key = dice.choice(self.stage.keys)
        if not self.is_readable(key):
            return False
        taken = min(self.shown(key), 2)
        self._mean(key, -taken)
        tag = f"another/{key[0]}/{dice.randint(1, 99)}"
        self._save(key[0], {key[1]: str(self.shown(key) - taken), VERSION_KEY: tag})
        return True

    def write_a_note(self, dice: Random) -> bool:
        """Edit a key that is not the shop's. It must never be changed by the shop."""
        product = dice.choice(self.stage.products)
        text = f"note {dice.randint(0, 999)}"
        self.books.other_keys.setdefault(product, {})["details"] = text
        self.fake.dashboard.edit_product(product, metadata={"details": text})
        return True


def _says(metadata: dict[str, str], key: str, count: int) -> bool:
    text = metadata.get(key)
    return text is not None and is_count(text) and int(text) == count
