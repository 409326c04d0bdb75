"""What customers ask for on the page of an order, and look-ups of orders."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('checkout', '0015_sales_summary'),
    ]

    operations = [
        migrations.CreateModel(
            name='CustomerRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('cancel', 'cancellation'), ('return', 'return')], max_length=10, verbose_name='kind')),
                ('state', models.CharField(choices=[('requested', 'waits for your decision'), ('accepted', 'accepted'), ('declined', 'declined'), ('withdrawn', 'withdrawn by the customer')], default='requested', max_length=10, verbose_name='state')),
                ('message', models.CharField(blank=True, max_length=500, verbose_name='message of the customer')),
                ('created_at', models.DateTimeField(verbose_name='requested')),
                ('decided_at', models.DateTimeField(blank=True, null=True, verbose_name='decided')),
                ('decided_by', models.CharField(blank=True, max_length=150, verbose_name='by')),
                ('answer', models.CharField(blank=True, max_length=500, verbose_name='answer to the customer')),
                ('is_settled', models.BooleanField(default=True, editable=False)),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='checkout.order')),
                ('refund', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='customer_request', to='checkout.refund')),
            ],
            options={
                'verbose_name': 'customer request',
                'verbose_name_plural': 'customer requests',
                'ordering': ['created_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='CustomerRequestLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity', models.PositiveIntegerField(verbose_name='quantity')),
                ('reason', models.CharField(choices=[('too_small', 'too small'), ('too_large', 'too large'), ('unwanted', 'changed my mind'), ('not_as_described', 'not as described'), ('wrong_item', 'wrong item received'), ('defective', 'damaged or defective'), ('other', 'another reason')], max_length=20, verbose_name='reason')),
                ('line', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='checkout.orderline')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='checkout.customerrequest')),
            ],
            options={
                'verbose_name': 'line of a request',
                'verbose_name_plural': 'lines of a request',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='OrderLookup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(blank=True, max_length=254)),
                ('number', models.CharField(blank=True, max_length=8)),
                ('email_digest', models.CharField(max_length=64)),
                ('network', models.CharField(blank=True, max_length=50)),
                ('created_at', models.DateTimeField()),
                ('answered_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'look-up of an order',
                'verbose_name_plural': 'look-ups of orders',
                'ordering': ['id'],
                'indexes': [models.Index(fields=['created_at'], name='lookups_by_time'), models.Index(condition=models.Q(('answered_at', None)), fields=['id'], name='lookups_to_answer')],
            },
        ),
        migrations.AddIndex(
            model_name='customerrequest',
            index=models.Index(condition=models.Q(('state', 'requested')), fields=['created_at'], name='requests_to_decide'),
        ),
        migrations.AddIndex(
            model_name='customerrequest',
            index=models.Index(condition=models.Q(('is_settled', False)), fields=['id'], name='requests_to_settle'),
        ),
        migrations.AddConstraint(
            model_name='customerrequest',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'requested')), fields=('order',), name='an_order_has_one_open_request'),
        ),
        migrations.AddConstraint(
            model_name='customerrequestline',
            constraint=models.UniqueConstraint(fields=('request', 'line'), name='a_request_has_a_line_once'),
        ),
        migrations.AddConstraint(
            model_name='customerrequestline',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0)), name='a_requested_line_has_units'),
        ),
    ]
