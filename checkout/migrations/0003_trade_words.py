"""Rename columns to the words of docs/architecture.md's glossary; no value changes."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("checkout", "0002_orders_on_their_way"), ("inventory", "0009_issue_kinds")]

    operations = [
        # Conditions and column lists keep the old names, so these are made again after the rename.
        migrations.RemoveConstraint("order", "a_cart_has_one_open_order"),
        migrations.RemoveIndex("order", "orders_of_a_cart"),
        migrations.RenameField("order", "cart", "cart_token"),
        migrations.RenameField("order", "tries", "attempts"),
        migrations.RenameField("order", "next_try_at", "next_attempt_at"),
        migrations.RenameField("order", "returned_at", "customer_returned_at"),
        migrations.RenameField("order", "asked_at", "polled_at"),
        migrations.RenameField("orderline", "unplaced", "needs_size"),
        migrations.RenameField("orderline", "colour", "color"),
        # Its values turn round in 0004.
        migrations.RenameField("order", "opened_here", "is_external"),
        migrations.AddIndex(
            "order",
            models.Index(
                fields=["cart_token", "-created_at"], condition=~Q(cart_token=""), name="orders_of_a_cart"
            ),
        ),
        migrations.AddConstraint(
            "order",
            models.UniqueConstraint(
                fields=["cart_token"],
                condition=Q(state="open") & ~Q(cart_token=""),
                name="a_cart_has_one_open_order",
            ),
        ),
    ]
