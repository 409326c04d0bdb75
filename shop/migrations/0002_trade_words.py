"""Rename columns to the words of docs/architecture.md's glossary; no value changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]

    operations = [
        # A condition keeps the name of its column, so the constraint is made again after the rename.
        migrations.RemoveConstraint("storefront", "a_shop_has_one_storefront"),
        migrations.RenameField("storefront", "one", "singleton"),
        migrations.RenameField("storefront", "paper", "background"),
        migrations.RenameField("storefront", "imprint", "legal_notice"),
        migrations.RenameField("product", "colours", "colors"),
        migrations.RenameField("product", "colour_words", "color_index"),
        migrations.RenameField("product", "words", "search_text"),
        migrations.RenameField("product", "read_at", "fetched_at"),
        migrations.AddConstraint(
            "storefront",
            models.CheckConstraint(condition=models.Q(singleton=1), name="a_shop_has_one_storefront"),
        ),
    ]
