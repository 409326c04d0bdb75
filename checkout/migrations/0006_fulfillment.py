"""What is left to do with the goods of an order: packed and sent, by whom and when, and refunded units."""


from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('checkout', '0005_texts'),
        ('inventory', '0010_texts'),
        ('shop', '0003_texts'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='carrier',
            field=models.CharField(blank=True, max_length=30, verbose_name='carrier'),
        ),
        migrations.AddField(
            model_name='order',
            name='packed_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='packed'),
        ),
        migrations.AddField(
            model_name='order',
            name='packed_by',
            field=models.CharField(blank=True, max_length=150, verbose_name='packed by'),
        ),
        migrations.AddField(
            model_name='order',
            name='sent_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='sent'),
        ),
        migrations.AddField(
            model_name='order',
            name='sent_by',
            field=models.CharField(blank=True, max_length=150, verbose_name='sent by'),
        ),
        migrations.AddField(
            model_name='order',
            name='tracking_number',
            field=models.CharField(blank=True, max_length=100, verbose_name='tracking number'),
        ),
        migrations.AddField(
            model_name='orderline',
            name='quantity_refunded',
            field=models.PositiveIntegerField(default=0, help_text="Units refunded on the order's page.", verbose_name='refunded units'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('sent_at', None), ('state', 'paid')), fields=['paid_at'], name='orders_not_sent_yet'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('sent_at', None), ('packed_at__isnull', False), _connector='OR'), name='a_sent_order_was_packed'),
        ),
        migrations.AddConstraint(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('quantity_refunded__lte', models.F('quantity'))), name='a_line_refunds_what_it_sold_at_most'),
        ),
    ]
