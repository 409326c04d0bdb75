"""The refunds that orders have so far were all made at Stripe."""

from django.db import migrations, models


def refunds_so_far_were_made_at_stripe(apps, schema_editor):
    orders = apps.get_model("checkout", "Order").objects.filter(refunded__gt=0)
    orders.update(refunded_elsewhere=models.F("refunded"))


class Migration(migrations.Migration):

    dependencies = [
        ('checkout', '0010_refunds'),
    ]

    operations = [migrations.RunPython(refunds_so_far_were_made_at_stripe, migrations.RunPython.noop)]
