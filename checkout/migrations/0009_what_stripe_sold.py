"""Lines carry their own currency and may be added on Stripe's page; orders carry what the customer paid elsewhere."""

from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def fill_currencies(apps, schema_editor):
    """A line's amount is in the currency of its price, or of its order where the price is not known any more."""
    Order, OrderLine = apps.get_model("checkout", "Order"), apps.get_model("checkout", "OrderLine")
    Product = apps.get_model("shop", "Product")
    of_order = Order.objects.filter(pk=OuterRef("order_id")).values("currency")
    OrderLine.objects.filter(currency="").update(currency=Subquery(of_order))
    for prices in Product.objects.values_list("prices", flat=True).iterator():
        for row in prices:
            price_id, currency = row.get("id"), row.get("currency")
            if price_id and currency:
                lines = OrderLine.objects.filter(price_id=price_id).exclude(currency=currency)
                lines.update(currency=currency)


class Migration(migrations.Migration):

    dependencies = [
        ('checkout', '0008_order_permissions'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='presentment_amount',
            field=models.BigIntegerField(blank=True, null=True, verbose_name='paid as'),
        ),
        migrations.AddField(
            model_name='order',
            name='presentment_currency',
            field=models.CharField(blank=True, max_length=3, verbose_name='paid in'),
        ),
        migrations.AddField(
            model_name='orderline',
            name='added_at_stripe',
            field=models.BooleanField(default=False, help_text="Added by the customer on Stripe's page, so its units were not held.", verbose_name='added at Stripe'),
        ),
        migrations.AddField(
            model_name='orderline',
            name='currency',
            field=models.CharField(blank=True, max_length=3, verbose_name='currency'),
        ),
        migrations.AddField(
            model_name='orderline',
            name='external_reference',
            field=models.CharField(blank=True, help_text='What the catalog of an agent calls the article, if an agent sold it.', max_length=255, verbose_name="agent's reference"),
        ),
        migrations.RunPython(fill_currencies, migrations.RunPython.noop),
    ]
