"""Rename models and columns to the words of docs/architecture.md's glossary; no value changes."""

from django.db import migrations, models
from django.db.models import F, Q

MODELS = [
    ("ShopIdentity", "Installation"),
    ("ProductStock", "ProductSync"),
    ("StockWrite", "StockUpdate"),
    ("MarkState", "VersionSnapshot"),
    ("CountedRequest", "ProcessedRequest"),
    ("Case", "Issue"),
    ("Postbox", "MailLock"),
]

FIELDS = [
    ("installation", "one", "singleton"),
    ("eventcursor", "one", "singleton"),
    ("maillock", "one", "singleton"),
    ("stockitem", "listed", "is_listed"),
    ("stockitem", "garbled", "invalid_edits"),
    ("stockitem", "garbled_by", "invalid_units"),
    ("stockitem", "garbled_over", "invalid_overwritten"),
    ("stockitem", "garbled_since", "invalid_since"),
    ("stockitem", "told_level", "notified_level"),
    ("stockitem", "began_at", "opened_at"),
    ("stockitem", "began_with", "opened_count"),
    ("productsync", "n", "number"),
    ("productsync", "looks_wanted", "refreshes_requested"),
    ("productsync", "looks_done", "refreshes_done"),
    ("productsync", "not_looked_before", "next_refresh_at"),
    ("productsync", "look_failures", "refresh_attempts"),
    ("productsync", "looked_at", "refreshed_at"),
    ("productsync", "mark_wanted", "needs_version_bump"),
    ("productsync", "not_before", "next_attempt_at"),
    ("productsync", "failures", "attempts"),
    ("productsync", "parked", "pause_reason"),
    ("productsync", "parked_by", "pause_detail"),
    ("productsync", "taken_over", "accepted_version"),
    ("productsync", "fence", "sales_cutoff"),
    ("productsync", "adopted", "cutoff_from_restore"),
    ("productsync", "gap", "event_gap"),
    ("productsync", "lost_n", "highest_seen_number"),
    ("stockupdate", "n", "number"),
    ("stockupdate", "key", "idempotency_key"),
    ("stockupdate", "seen", "event_seen"),
    ("versionsnapshot", "n", "number"),
    ("versionsnapshot", "by_write", "from_update"),
    ("processedrequest", "counted_at", "processed_at"),
    ("movement", "write", "stock_update"),
    ("stripeevent", "next_try_at", "next_attempt_at"),
    ("issue", "told_at", "notified_at"),
    ("heartbeat", "patience", "timeout"),
]

# Conditions and column lists keep the old names, so these are removed first and made again at the end.
CONSTRAINTS = [
    ("shopidentity", "a_shop_has_one_identity"),
    ("eventcursor", "there_is_one_event_cursor"),
    ("postbox", "there_is_one_postbox"),
    ("stockwrite", "a_mark_stands_for_one_write"),
    ("stockwrite", "a_product_has_one_open_write"),
    ("markstate", "a_write_leaves_one_state"),
    ("countedrequest", "a_request_is_counted_once"),
    ("case", "a_case_is_open_once"),
]
INDEXES = [
    ("productstock", "looks_that_are_wanted"),
    ("markstate", "states_of_a_mark"),
    ("stripeevent", "events_that_wait"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0007_parked_by_reason"),
        ("shop", "0002_trade_words"),
        # Content types follow a renamed model, and 0009 renames the permissions that point at them.
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        *(migrations.RemoveConstraint(model, name) for model, name in CONSTRAINTS),
        *(migrations.RemoveIndex(model, name) for model, name in INDEXES),
        *(migrations.RenameModel(old, new) for old, new in MODELS),
        *(migrations.RenameField(model, old, new) for model, old, new in FIELDS),
        migrations.AlterModelOptions("versionsnapshot", {"ordering": ["product_id", "number", "-from_update", "id"]}),
        migrations.AddConstraint(
            "installation", models.CheckConstraint(condition=Q(singleton=1), name="a_shop_has_one_identity")
        ),
        migrations.AddConstraint(
            "eventcursor", models.CheckConstraint(condition=Q(singleton=1), name="there_is_one_event_cursor")
        ),
        migrations.AddConstraint(
            "maillock", models.CheckConstraint(condition=Q(singleton=1), name="there_is_one_mail_lock")
        ),
        migrations.AddConstraint(
            "stockupdate",
            models.UniqueConstraint(fields=["product", "number"], name="a_number_stands_for_one_update"),
        ),
        migrations.AddConstraint(
            "stockupdate",
            models.UniqueConstraint(
                fields=["product"], condition=Q(state="open"), name="a_product_has_one_open_update"
            ),
        ),
        migrations.AddConstraint(
            "versionsnapshot",
            models.UniqueConstraint(
                fields=["product", "number"],
                condition=Q(from_update=True),
                name="an_update_leaves_one_snapshot",
            ),
        ),
        migrations.AddConstraint(
            "processedrequest",
            models.UniqueConstraint(fields=["product", "request"], name="a_request_is_processed_once"),
        ),
        migrations.AddConstraint(
            "issue",
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(closed_at=None), name="an_issue_is_open_once"
            ),
        ),
        migrations.AddIndex(
            "productsync",
            models.Index(
                fields=["product"],
                condition=Q(refreshes_requested__gt=F("refreshes_done")),
                name="refreshes_that_are_requested",
            ),
        ),
        migrations.AddIndex(
            "versionsnapshot", models.Index(fields=["product", "number"], name="snapshots_of_a_version")
        ),
        migrations.AddIndex(
            "stripeevent",
            models.Index(fields=["next_attempt_at"], condition=Q(state="waiting"), name="events_that_wait"),
        ),
    ]
