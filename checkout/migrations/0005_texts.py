"""Follow the labels and help texts of the models; no column changes."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('checkout', '0004_external_and_canceled'),
        ('inventory', '0010_texts'),
    ]

    operations = [
        migrations.AlterField(
            model_name='order',
            name='cart_token',
            field=models.CharField(blank=True, editable=False, help_text='Token of the cart that the order was made from. Empty for external orders.', max_length=40, verbose_name='cart'),
        ),
        migrations.AlterField(
            model_name='order',
            name='fingerprint',
            field=models.CharField(blank=True, editable=False, help_text='Digest of the contents of the cart.', max_length=64),
        ),
        migrations.AlterField(
            model_name='order',
            name='is_external',
            field=models.BooleanField(default=False, help_text='Sold outside of this shop.', verbose_name='external'),
        ),
        migrations.AlterField(
            model_name='order',
            name='polled_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='last polled'),
        ),
        migrations.AlterField(
            model_name='order',
            name='session_params',
            field=models.JSONField(default=dict, help_text='Parameters of the session request, stored so that the same request can be repeated.', verbose_name='session request'),
        ),
        migrations.AlterField(
            model_name='order',
            name='session_url',
            field=models.TextField(blank=True, verbose_name='URL of the payment page'),
        ),
        migrations.AlterField(
            model_name='order',
            name='state',
            field=models.CharField(choices=[('open', 'open'), ('awaiting', 'awaiting payment'), ('paid', 'paid'), ('canceled', 'canceled'), ('refunded', 'refunded')], default='open', max_length=10, verbose_name='state'),
        ),
        migrations.AlterField(
            model_name='orderline',
            name='color',
            field=models.CharField(blank=True, max_length=500, verbose_name='color'),
        ),
        migrations.AlterField(
            model_name='orderline',
            name='item',
            field=models.ForeignKey(help_text='Empty if the size is unknown or not sold here. Then no stock is counted.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='inventory.stockitem'),
        ),
        migrations.AlterField(
            model_name='orderline',
            name='needs_size',
            field=models.BooleanField(default=False, help_text='Sold outside of this shop without a size. Not counted until you choose the size.', verbose_name='needs a size'),
        ),
    ]
