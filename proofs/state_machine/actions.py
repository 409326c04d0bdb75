"""The rules of the schedules: name, weight, and what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from inventory import worker

if TYPE_CHECKING:
    from proofs.state_machine.world import World

Play = Callable[["World", Random], bool]


@dataclass(frozen=True)
class Action:
    """`play` returns False if there was nothing to do."""

    weight: int
    play: Play


def _deliver(world: World, dice: Random) -> bool:
    return world.deliver() > 0


def _work(world: World, dice: Random) -> bool:
    world.work(dice)
    return True


def _work_all(world: World, dice: Random) -> bool:
    world.work_all()
    return True


def _backfill(world: World, dice: Random) -> bool:
    world.backfill()
    return True


def _mend_key(world: World, dice: Random) -> bool:
    # The worker is restarted too, as the issue of the refused key asks.
    if not world.trouble.key_is_mended():
        return False
    world.process("start", worker.start)
    return True


def _wait(seconds: float) -> Play:
    def play(world: World, dice: Random) -> bool:
        world.fake.forward(seconds)
        world.tally.faults[f"clock jumped {seconds:g} s"] += 1
        return True

    return play


ACTIONS: dict[str, Action] = {
    # customers
    "buy": Action(14, lambda world, dice: world.customers.buy(dice)),
    "go to payment again": Action(3, lambda world, dice: world.customers.go_again(dice)),
    "cancel": Action(3, lambda world, dice: world.customers.cancel(dice)),
    "pay": Action(14, lambda world, dice: world.customers.pay(dice)),
    "pay by debit": Action(3, lambda world, dice: world.customers.pay_later(dice)),
    "debit ends": Action(3, lambda world, dice: world.customers.debit_ends(dice)),
    "walk away": Action(3, lambda world, dice: world.customers.walk_away(dice)),
    "come back": Action(3, lambda world, dice: world.customers.come_back(dice)),
    "buy elsewhere": Action(2, lambda world, dice: world.customers.buy_elsewhere(dice)),
    "refund": Action(1, lambda world, dice: world.customers.refund(dice)),
    # the owner, in the admin
    "receive": Action(3, lambda world, dice: world.owner.receive(dice)),
    "adjust": Action(2, lambda world, dice: world.owner.adjust(dice)),
    "count": Action(1, lambda world, dice: world.owner.count(dice)),
    "take back": Action(2, lambda world, dice: world.owner.take_back(dice)),
    "take over": Action(5, lambda world, dice: world.owner.take_over(dice)),
    # people at Stripe
    "edit by some": Action(5, lambda world, dice: world.people.edit_by_some(dice)),
    "edit to a number": Action(4, lambda world, dice: world.people.edit_to_a_number(dice)),
    "garble": Action(1, lambda world, dice: world.people.garble(dice)),
    "mend": Action(3, lambda world, dice: world.people.mend(dice)),
    "open a form": Action(3, lambda world, dice: world.people.open_form(dice)),
    "save a form": Action(4, lambda world, dice: world.people.save_form(dice)),
    "remove the mark": Action(1, lambda world, dice: world.people.remove_mark(dice)),
    "another shop writes": Action(2, lambda world, dice: world.people.another_shop_writes(dice)),
    "write a note": Action(2, lambda world, dice: world.people.write_a_note(dice)),
    # the shop's processes
    "deliver": Action(12, _deliver),
    "work": Action(14, _work),
    "work until nothing is left": Action(5, _work_all),
    "backfill": Action(1, _backfill),
    # faults
    "calls fail": Action(8, lambda world, dice: world.trouble.call_fails(dice)),
    "deliveries go wrong": Action(8, lambda world, dice: world.trouble.deliveries_go_wrong(dice)),
    "a request will be late": Action(3, lambda world, dice: world.trouble.request_will_be_late(dice)),
    "outage begins": Action(1, lambda world, dice: world.trouble.outage_begins(dice)),
    "outage ends": Action(10, lambda world, dice: world.trouble.outage_ends(dice)),
    "the key is refused": Action(1, lambda world, dice: world.trouble.key_is_refused()),
    "the key is mended": Action(10, _mend_key),
    "a minute passes": Action(4, _wait(61)),
    "a checkout's time passes": Action(1, _wait(36 * 60)),
    "a day passes": Action(1, _wait(25 * 3600)),
    "backup": Action(3, lambda world, dice: world.take_backup()),
    "restore": Action(3, lambda world, dice: world.restore()),
}

# Rules that may be played while a process sleeps.
IN_BETWEEN = [
    "buy", "pay", "pay", "walk away", "debit ends", "come back", "edit by some", "edit to a number", "save a form",
    "remove the mark", "deliver", "deliver", "work", "work", "work until nothing is left", "a minute passes",
    "a day passes", "receive", "write a note",
]  # fmt: skip

# End everything that is still open at Stripe.
AT_THE_END: list[Play] = [
    lambda world, dice: world.customers.end_somehow(dice),
    lambda world, dice: world.customers.debit_ends(dice),
    lambda world, dice: world.people.mend(dice),
    lambda world, dice: world.owner.take_over(dice),
]
