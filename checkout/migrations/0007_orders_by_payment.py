"""An index for sales by day, and the permission to see them."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('checkout', '0006_fulfillment'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='order',
            options={'ordering': ['-created_at'], 'permissions': [('view_reports', 'Can view sales and reports')], 'verbose_name': 'order', 'verbose_name_plural': 'orders'},
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('paid_at__isnull', False)), fields=['paid_at'], name='orders_by_payment'),
        ),
    ]
