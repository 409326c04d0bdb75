"""Store issue kinds as slugs, and let permissions follow the renamed models."""

from django.db import migrations

# What the version of 2026-11-26 stored, and the slug it becomes.
KINDS = {
    "more than a count can say": "count_too_large",
    "unreadable count": "unreadable_count",
    "another shop writes here": "foreign_version",
    "restored database": "restored_database",
    "edits that Stripe has forgotten": "event_gap",
    "sale at the first look": "sale_before_sync",
    "edit that cannot be told apart": "ambiguous_edit",
    "edit to look at": "edit_to_review",
    "Stripe refuses a write": "update_refused",
    "publishing stopped": "publishing_stopped",
    "event not handled": "event_failed",
    "stripe key": "stripe_key",
    "product cannot be read": "refresh_failed",
    "product cannot be written": "publish_failed",
    "checkout refused": "checkout_refused",
    "sale without a size": "needs_size",
    "order not settled": "order_failed",
    "refund": "refund_to_review",
    "refund failed": "refund_failed",
    "session not found": "session_not_found",
}

MODELS = {
    "shopidentity": "installation",
    "productstock": "productsync",
    "stockwrite": "stockupdate",
    "markstate": "versionsnapshot",
    "countedrequest": "processedrequest",
    "case": "issue",
    "postbox": "maillock",
}
ACTIONS = ("add", "change", "delete", "view")


def rename_kinds(apps, schema_editor):
    issues = apps.get_model("inventory", "Issue").objects
    for old, new in KINDS.items():
        issues.filter(kind=old).update(kind=new)


def restore_kinds(apps, schema_editor):
    issues = apps.get_model("inventory", "Issue").objects
    for old, new in KINDS.items():
        issues.filter(kind=new).update(kind=old)


def rename_permissions(apps, names):
    """Django 5.2 renames the content type of a renamed model, but not the codenames of its permissions."""
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="inventory")
    for old, new in names.items():
        for action in ACTIONS:
            # Absent in a new database: post_migrate creates them there.
            permissions.filter(codename=f"{action}_{old}").update(codename=f"{action}_{new}")


def forward(apps, schema_editor):
    rename_kinds(apps, schema_editor)
    rename_permissions(apps, MODELS)


def backward(apps, schema_editor):
    restore_kinds(apps, schema_editor)
    rename_permissions(apps, {new: old for old, new in MODELS.items()})


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0008_trade_words"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(forward, backward)]
