"""Periodic worker tasks and their intervals.

A task takes the current time and returns how much it did; while all return 0 the worker rests.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerTask:
    """A worker task.

    `path`: dotted path of `function(now) -> int`; `every`: seconds between two runs while idle. `in_a_rush`: the same within
    RUSH seconds of a run that found work, where a customer or many products wait for it.
    `only_if`: dotted paths of queries; the task has nothing to do while none of them has rows. An idle worker then runs small
    statements, built once, in place of those that Django would build for the task on each run.
    `own_thread`: run in a thread of its own. For tasks that call Stripe or a mail server or run long: a hanging Stripe must
    not delay events that need only the database. `threads`: how many of them, for a task that takes its work by leases.
    """

    path: str
    every: float
    own_thread: bool
    in_a_rush: float | None = None
    only_if: tuple[str, ...] = ()
    threads: int = 1


RUSH = 5.0
WORKER_TASKS: list[WorkerTask] = [
    WorkerTask(
        "inventory.events.inbox.process_local",
        every=0.25,
        own_thread=False,
        in_a_rush=0.05,
        only_if=("inventory.events.inbox.waiting_for_the_database",),
    ),
    WorkerTask(
        "inventory.events.inbox.process_remote",
        every=0.5,
        own_thread=True,
        only_if=("inventory.events.inbox.waiting_for_stripe",),
    ),
    # With Stripe's usual latency five at a time stay below its 25 requests a second.
    WorkerTask(
        "inventory.stripe_sync.publisher.publish_pending",
        every=0.5,
        in_a_rush=0.25,
        own_thread=True,
        threads=5,
        only_if=("inventory.stripe_sync.publisher.pending_products",),
    ),
    WorkerTask(
        "inventory.stripe_sync.refresh.refresh_requested",
        every=1,
        own_thread=True,
        only_if=("inventory.stripe_sync.refresh.outdated_products",),
    ),
    WorkerTask("inventory.stripe_sync.missed_events.fetch_product_events", every=3600, own_thread=True),
    WorkerTask("checkout.recovery.backfill.apply_undelivered", every=3600, own_thread=True),
    WorkerTask("inventory.deliveries.check", every=60, own_thread=True),
    WorkerTask(
        "checkout.recovery.session_recovery.find_unknown_sessions",
        every=5,
        own_thread=True,
        only_if=("checkout.recovery.session_recovery.without_session",),
    ),
    WorkerTask(
        "checkout.recovery.session_recovery.refresh_stale_orders",
        every=30,
        own_thread=True,
        only_if=("checkout.recovery.session_recovery.with_open_session",),
    ),
    WorkerTask("shop.shipping.refresh_shipping_rates", every=3600, own_thread=True),
    WorkerTask(
        "checkout.orders.refund_requests.send_waiting_refunds",
        every=10,
        own_thread=True,
        only_if=("checkout.orders.refund_requests.unconfirmed",),
    ),
    WorkerTask(
        "checkout.mail.sending.send_due",
        every=1,
        own_thread=True,
        only_if=("checkout.mail.outbox.waiting_mails",),
    ),
    WorkerTask(
        "checkout.orders.customer_requests.settle_waiting",
        every=10,
        own_thread=False,
        only_if=("checkout.orders.customer_requests.unsettled",),
    ),
    WorkerTask(
        "checkout.orders.lookup.answer_lookups",
        every=1,
        own_thread=False,
        only_if=("checkout.orders.lookup.unanswered",),
    ),
    WorkerTask("checkout.orders.lookup.forget_lookups", every=3600, own_thread=False),
    WorkerTask(
        "checkout.restock.waves.send_waves",
        every=10,
        own_thread=True,
        only_if=("checkout.restock.waves.waiting_signups", "checkout.restock.waves.mails_of_waves"),
    ),
    WorkerTask(
        "checkout.restock.signups.end_old",
        every=3600,
        own_thread=True,
        only_if=("checkout.restock.signups.subscribers", "checkout.restock.signups.known_networks"),
    ),
    WorkerTask("checkout.orders.hold_limits.watch", every=60, own_thread=False),
    WorkerTask("checkout.reports.sales.write_summary", every=300, own_thread=True),
    WorkerTask("inventory.agent_catalog.send_catalog", every=60, own_thread=True),
    WorkerTask("inventory.alerts.notify_owner", every=60, own_thread=True),
    WorkerTask("checkout.privacy.erasure.erase_old", every=24 * 3600, own_thread=True),
    WorkerTask("inventory.cleanup.delete_expired", every=24 * 3600, own_thread=True),
]

# Called in each web process: starts the thread that mails when no worker runs.
WEB_WATCH = "inventory.web_watch.start"
