"""Give each stock item the id by which feeds and structured data name it."""

import base64
import hashlib

from django.db import migrations, models


def catalog_id(product_id, key):
    """As shop.feeds.ids.catalog_id on 2026-11-28."""
    digest = hashlib.sha256(f"{product_id}\0{key}".encode()).digest()[:16]
    return base64.b32encode(digest).decode().rstrip("=").lower()


def fill(apps, schema_editor):
    items = apps.get_model("inventory", "StockItem").objects.using(schema_editor.connection.alias)
    chunk = []
    for item in items.filter(catalog_id="").only("pk", "product_id", "key").iterator(1000):
        item.catalog_id = catalog_id(item.product_id, item.key)
        chunk.append(item)
    items.bulk_update(chunk, ["catalog_id"], batch_size=500)



class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0014_unknown_sales_and_disputes'),
        ('shop', '0004_feeds'),
    ]

    operations = [
        migrations.AddField(
            model_name='stockitem',
            name='catalog_id',
            field=models.CharField(blank=True, help_text='Id of this size in feeds and structured data. It never changes.', max_length=50, verbose_name='catalog id'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name='stockitem',
            constraint=models.UniqueConstraint(fields=('catalog_id',), name='a_catalog_id_names_one_size'),
        ),
    ]
