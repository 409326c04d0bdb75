"""Refunds that are requested in the admin, and their lines."""

import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('checkout', '0009_what_stripe_sold'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='refunded_elsewhere',
            field=models.BigIntegerField(default=0, editable=False),
        ),
        migrations.CreateModel(
            name='Refund',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('token', models.CharField(help_text="From the form: a second click finds the first one's refund.", max_length=64, unique=True)),
                ('amount', models.BigIntegerField(verbose_name='amount')),
                ('reason', models.CharField(blank=True, choices=[('', 'no reason'), ('requested_by_customer', 'requested by the customer'), ('duplicate', 'paid twice'), ('fraudulent', 'fraud')], max_length=30, verbose_name='reason')),
                ('note', models.CharField(blank=True, max_length=500, verbose_name='note')),
                ('state', models.CharField(choices=[('requested', 'not confirmed by Stripe yet'), ('accepted', 'refunded'), ('refused', 'refused by Stripe'), ('failed', 'failed: the money came back')], default='requested', max_length=10, verbose_name='state')),
                ('stripe_id', models.CharField(blank=True, max_length=255, verbose_name='id at Stripe')),
                ('error', models.CharField(blank=True, max_length=500, verbose_name='last error')),
                ('requested_by', models.CharField(max_length=150, verbose_name='by')),
                ('created_at', models.DateTimeField(verbose_name='requested')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('next_attempt_at', models.DateTimeField(editable=False, null=True)),
                ('decided_at', models.DateTimeField(editable=False, null=True)),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='checkout.order')),
                ('replaces', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='checkout.refund')),
            ],
            options={
                'verbose_name': 'refund',
                'verbose_name_plural': 'refunds',
                'ordering': ['created_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='RefundLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity', models.PositiveIntegerField(verbose_name='quantity')),
                ('restock', models.BooleanField(default=False, verbose_name='back to stock')),
                ('line', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refund_lines', to='checkout.orderline')),
                ('refund', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='checkout.refund')),
            ],
            options={
                'verbose_name': 'refunded line',
                'verbose_name_plural': 'refunded lines',
            },
        ),
        migrations.AddIndex(
            model_name='refund',
            index=models.Index(condition=models.Q(('state', 'requested')), fields=['next_attempt_at'], name='refunds_not_confirmed'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='a_refund_has_an_amount'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(condition=models.Q(('stripe_id', ''), _negated=True), fields=('stripe_id',), name='a_refund_at_stripe_is_recorded_once'),
        ),
        migrations.AddConstraint(
            model_name='refundline',
            constraint=models.UniqueConstraint(fields=('refund', 'line'), name='a_refund_has_a_line_once'),
        ),
        migrations.AddConstraint(
            model_name='refundline',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0)), name='a_refunded_line_has_units'),
        ),
    ]
