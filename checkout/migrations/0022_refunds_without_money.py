from typing import Any

from django.db import migrations, models


def delete_refunds_without_money(apps: Any, schema_editor: Any) -> None:
    """For the way back. What they did stays: the units are back in stock, and the orders are closed."""
    refunds = apps.get_model("checkout", "Refund").objects.filter(amount=0)
    apps.get_model("checkout", "CustomerRequest").objects.filter(refund__in=refunds).update(refund=None)
    apps.get_model("checkout", "RefundLine").objects.filter(refund__in=refunds).delete()
    refunds.delete()
    # PostgreSQL changes no table whose deleted rows wait for the end of the transaction to be checked.
    schema_editor.connection.check_constraints()


class Migration(migrations.Migration):
    dependencies = [
        ('checkout', '0021_lists_that_grow'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='refund',
            name='a_refund_has_an_amount',
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), models.Q(('amount', 0), ('state', 'accepted'), ('stripe_id', '')), _connector='OR'), name='a_refund_without_an_amount_is_finished'),
        ),
        migrations.RunPython(migrations.RunPython.noop, delete_refunds_without_money),
    ]
