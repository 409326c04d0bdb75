"""The rules of the schedules: name, weight, and what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from inventory import worker
from proofs.state_machine.cast import Cast

Play = Callable[[Cast, Random], bool]


@dataclass(frozen=True)
class Action:
    """`play` returns False if there was nothing to do."""

    weight: int
    play: Play


def _deliver(cast: Cast, dice: Random) -> bool:
    return cast.deliver() > 0


def _work(cast: Cast, dice: Random) -> bool:
    cast.work(dice)
    return True


def _work_all(cast: Cast, dice: Random) -> bool:
    cast.work_all()
    return True


def _backfill(cast: Cast, dice: Random) -> bool:
    cast.backfill()
    return True


def _renew_key(cast: Cast, dice: Random) -> bool:
    # The worker is restarted too, as the issue of the refused key asks.
    if not cast.trouble.key_works_again():
        return False
    cast.process("start", worker.start)
    return True


def _season(cast: Cast, dice: Random) -> bool:
    return cast.season_passes()


def _forget(cast: Cast, dice: Random) -> bool:
    cast.forget()
    return True


def _wait(seconds: float) -> Play:
    def play(cast: Cast, dice: Random) -> bool:
        cast.fake.forward(seconds)
        cast.tally.faults[f"clock jumped {seconds:g} s"] += 1
        return True

    return play


ACTIONS: dict[str, Action] = {
    # customers
    "buy": Action(14, lambda cast, dice: cast.customers.buy(dice)),
    "go to payment again": Action(3, lambda cast, dice: cast.customers.go_again(dice)),
    "cancel": Action(3, lambda cast, dice: cast.customers.cancel(dice)),
    "pay": Action(14, lambda cast, dice: cast.customers.pay(dice)),
    "pay for more than was in the cart": Action(3, lambda cast, dice: cast.customers.pay_for_more(dice)),
    "pay by debit": Action(3, lambda cast, dice: cast.customers.pay_later(dice)),
    "debit ends": Action(3, lambda cast, dice: cast.customers.debit_ends(dice)),
    "walk away": Action(3, lambda cast, dice: cast.customers.walk_away(dice)),
    "come back": Action(3, lambda cast, dice: cast.customers.come_back(dice)),
    "buy elsewhere": Action(2, lambda cast, dice: cast.customers.buy_elsewhere(dice)),
    "refund": Action(1, lambda cast, dice: cast.customers.refund(dice)),
    # the owner, in the admin
    "receive": Action(3, lambda cast, dice: cast.owner.receive(dice)),
    "adjust": Action(2, lambda cast, dice: cast.owner.adjust(dice)),
    "count": Action(1, lambda cast, dice: cast.owner.count(dice)),
    "restock": Action(2, lambda cast, dice: cast.owner.restock(dice)),
    "take over": Action(20, lambda cast, dice: cast.owner.take_over(dice)),
    # people at Stripe
    "edit by some": Action(5, lambda cast, dice: cast.people.edit_by_some(dice)),
    "edit to a number": Action(4, lambda cast, dice: cast.people.edit_to_a_number(dice)),
    "make a count invalid": Action(1, lambda cast, dice: cast.people.make_invalid(dice)),
    "correct a count": Action(3, lambda cast, dice: cast.people.correct(dice)),
    "open a form": Action(3, lambda cast, dice: cast.people.open_form(dice)),
    "save a form": Action(4, lambda cast, dice: cast.people.save_form(dice)),
    "remove the version tag": Action(1, lambda cast, dice: cast.people.remove_version_tag(dice)),
    "another shop writes": Action(3, lambda cast, dice: cast.people.another_shop_writes(dice)),
    "write a note": Action(2, lambda cast, dice: cast.people.write_a_note(dice)),
    # the shop's processes
    "deliver": Action(12, _deliver),
    "work": Action(14, _work),
    "work until nothing is left": Action(5, _work_all),
    "backfill": Action(1, _backfill),
    "a season passes": Action(1, _season),
    "old rows are deleted": Action(2, _forget),
    # faults
    "calls fail": Action(8, lambda cast, dice: cast.trouble.call_fails(dice)),
    "deliveries go wrong": Action(8, lambda cast, dice: cast.trouble.deliveries_go_wrong(dice)),
    "a request will be late": Action(3, lambda cast, dice: cast.trouble.request_will_be_late(dice)),
    "outage begins": Action(1, lambda cast, dice: cast.trouble.outage_begins(dice)),
    "outage ends": Action(10, lambda cast, dice: cast.trouble.outage_ends(dice)),
    "the key is refused": Action(1, lambda cast, dice: cast.trouble.key_is_refused()),
    "the key works again": Action(10, _renew_key),
    "a minute passes": Action(4, _wait(61)),
    "a checkout's time passes": Action(1, _wait(36 * 60)),
    "a day passes": Action(1, _wait(25 * 3600)),
    "backup": Action(3, lambda cast, dice: cast.take_backup()),
    "restore": Action(3, lambda cast, dice: cast.restore()),
}

# Rules that may be played while a process sleeps.
IN_BETWEEN = [
    "buy", "pay", "pay", "walk away", "debit ends", "come back", "edit by some", "edit to a number", "save a form",
    "remove the version tag", "deliver", "deliver", "work", "work", "work until nothing is left",
    "a minute passes", "a day passes", "receive", "write a note", "old rows are deleted",
]  # fmt: skip

# End everything that is still open at Stripe.
AT_THE_END: list[Play] = [
    lambda cast, dice: cast.customers.end_somehow(dice),
    lambda cast, dice: cast.customers.debit_ends(dice),
    lambda cast, dice: cast.people.correct(dice),
    lambda cast, dice: cast.owner.take_over(dice),
]
