"""Permissions to pack and to refund orders, for the roles of the admin."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('checkout', '0007_orders_by_payment'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='order',
            options={'ordering': ['-created_at'], 'permissions': [('view_reports', 'Can view sales and reports'), ('pack_order', 'Can pack and send orders'), ('refund_order', 'Can refund orders')], 'verbose_name': 'order', 'verbose_name_plural': 'orders'},
        ),
    ]
