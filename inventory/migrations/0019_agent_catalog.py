"""Imports of the catalog for AI agents, and the issue that tells of a refused one."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0018_oversold_before'),
    ]

    operations = [
        migrations.AlterField(
            model_name='issue',
            name='kind',
            field=models.CharField(choices=[('oversold', 'oversold'), ('count_too_large', 'count too large'), ('unreadable_count', 'unreadable count'), ('foreign_version', 'another shop updates this product'), ('restored_database', 'restored database'), ('event_gap', 'missing event history'), ('sale_before_sync', 'sale during first refresh'), ('ambiguous_edit', 'ambiguous edit'), ('edit_to_review', 'edit to review'), ('update_refused', 'stock update rejected'), ('publishing_stopped', 'publishing stopped'), ('event_failed', 'event not handled'), ('stripe_key', 'Stripe key'), ('no_deliveries', 'no webhook deliveries'), ('refresh_failed', 'refresh failed'), ('publish_failed', 'stock update failed'), ('checkout_refused', 'checkout rejected'), ('needs_size', 'sale without a size'), ('unknown_sale', 'sale of unknown goods'), ('order_failed', 'order not updated'), ('refund_to_review', 'refund: back to stock?'), ('refund_failed', 'refund failed'), ('dispute', 'dispute'), ('agent_catalog', 'catalog for agents'), ('session_not_found', 'session not found'), ('setup', 'setup'), ('holds', 'held, not bought')], max_length=40, verbose_name='kind'),
        ),
        migrations.CreateModel(
            name='CatalogImport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('feed', models.CharField(choices=[('product', 'products'), ('inventory', 'stock')], max_length=10, verbose_name='feed')),
                ('mode', models.CharField(max_length=10, verbose_name='mode')),
                ('stripe_id', models.CharField(blank=True, max_length=255, verbose_name='id at Stripe')),
                ('status', models.CharField(blank=True, max_length=30, verbose_name='status')),
                ('rows', models.PositiveIntegerField(verbose_name='rows')),
                ('errors', models.PositiveIntegerField(default=0, verbose_name='rows with errors')),
                ('product_digest', models.CharField(help_text='Of the catalog without its stock.', max_length=64)),
                ('stock_digest', models.CharField(max_length=64)),
                ('started_at', models.DateTimeField(verbose_name='started')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('slot', models.PositiveSmallIntegerField(default=1, editable=False)),
            ],
            options={
                'verbose_name': 'catalog import',
                'verbose_name_plural': 'catalog imports',
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('finished_at', None)), fields=('slot',), name='one_catalog_import_is_under_way')],
            },
        ),
    ]
