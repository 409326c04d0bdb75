"""Follow the labels and help texts of the models; no column changes."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0009_issue_kinds'),
        ('shop', '0003_texts'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='installation',
            options={'verbose_name': 'installation', 'verbose_name_plural': 'installation'},
        ),
        migrations.AlterModelOptions(
            name='issue',
            options={'ordering': ['-id'], 'verbose_name': 'issue', 'verbose_name_plural': 'issues'},
        ),
        migrations.AlterModelOptions(
            name='maillock',
            options={'verbose_name': 'mail lock', 'verbose_name_plural': 'mail lock'},
        ),
        migrations.AlterModelOptions(
            name='processedrequest',
            options={'verbose_name': 'processed request', 'verbose_name_plural': 'processed requests'},
        ),
        migrations.AlterModelOptions(
            name='productsync',
            options={'verbose_name': 'product sync state', 'verbose_name_plural': 'product sync states'},
        ),
        migrations.AlterModelOptions(
            name='stockupdate',
            options={'ordering': ['-id'], 'verbose_name': 'stock update', 'verbose_name_plural': 'stock updates'},
        ),
        migrations.AlterModelOptions(
            name='versionsnapshot',
            options={'ordering': ['product_id', 'number', '-from_update', 'id'], 'verbose_name': 'version snapshot', 'verbose_name_plural': 'version snapshots'},
        ),
        migrations.AlterField(
            model_name='eventcursor',
            name='listed_at',
            field=models.DateTimeField(help_text='When that listing began.'),
        ),
        migrations.AlterField(
            model_name='eventcursor',
            name='read_to',
            field=models.DateTimeField(help_text="Newest event of the last complete listing, by Stripe's clock."),
        ),
        migrations.AlterField(
            model_name='heartbeat',
            name='timeout',
            field=models.PositiveIntegerField(default=60, help_text='Seconds without a beat before the worker counts as stopped.'),
        ),
        migrations.AlterField(
            model_name='issue',
            name='kind',
            field=models.CharField(choices=[('oversold', 'oversold'), ('count_too_large', 'count too large'), ('unreadable_count', 'unreadable count'), ('foreign_version', 'another shop updates this product'), ('restored_database', 'restored database'), ('event_gap', 'missing event history'), ('sale_before_sync', 'sale during first refresh'), ('ambiguous_edit', 'ambiguous edit'), ('edit_to_review', 'edit to review'), ('update_refused', 'stock update rejected'), ('publishing_stopped', 'publishing stopped'), ('event_failed', 'event not handled'), ('stripe_key', 'Stripe key'), ('refresh_failed', 'refresh failed'), ('publish_failed', 'stock update failed'), ('checkout_refused', 'checkout rejected'), ('needs_size', 'sale without a size'), ('order_failed', 'order not updated'), ('refund_to_review', 'refund: back to stock?'), ('refund_failed', 'refund failed'), ('session_not_found', 'session not found')], max_length=40, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='issue',
            name='notified_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='mailed'),
        ),
        migrations.AlterField(
            model_name='movement',
            name='actor',
            field=models.CharField(blank=True, max_length=150, verbose_name='by'),
        ),
        migrations.AlterField(
            model_name='movement',
            name='delta',
            field=models.IntegerField(help_text='0 for items that are not tracked.', verbose_name='difference'),
        ),
        migrations.AlterField(
            model_name='movement',
            name='kind',
            field=models.CharField(choices=[('opened', 'opening count'), ('sale', 'sale'), ('returned', 'returned'), ('received', 'received'), ('counted', 'counted'), ('adjusted', 'adjusted'), ('edited', 'edited at Stripe'), ('oversold', 'oversold'), ('adopted', 'accepted after a restore')], max_length=10, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='productsync',
            name='accepted_version',
            field=models.CharField(blank=True, max_length=500, verbose_name='version tag taken over'),
        ),
        migrations.AlterField(
            model_name='productsync',
            name='cutoff_from_restore',
            field=models.BooleanField(default=False, help_text='The sales cutoff was set after a database restore.'),
        ),
        migrations.AlterField(
            model_name='productsync',
            name='differs',
            field=models.BooleanField(default=False, help_text="Stripe's counts differ and no event explains it. Events are fetched before the next update."),
        ),
        migrations.AlterField(
            model_name='productsync',
            name='event_gap',
            field=models.BooleanField(default=False, help_text="Events are missing that Stripe no longer lists. The next refresh accepts Stripe's counts."),
        ),
        migrations.AlterField(
            model_name='productsync',
            name='highest_seen_number',
            field=models.PositiveIntegerField(default=0, help_text='Highest update number seen in an event without a local row (after a restore).'),
        ),
        migrations.AlterField(
            model_name='productsync',
            name='next_attempt_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='next update not before'),
        ),
        migrations.AlterField(
            model_name='productsync',
            name='number',
            field=models.PositiveIntegerField(default=0, verbose_name='last update number'),
        ),
        migrations.AlterField(
            model_name='productsync',
            name='pause_detail',
            field=models.CharField(blank=True, help_text="The other shop's version tag, or Stripe's error message.", max_length=500, verbose_name='pause detail'),
        ),
        migrations.AlterField(
            model_name='productsync',
            name='pause_reason',
            field=models.CharField(blank=True, choices=[('', 'no'), ('deleted', 'deleted at Stripe'), ('foreign', 'another shop updates its counts'), ('refused', 'Stripe rejected an update'), ('unexplained', 'unexplained difference, and the Stripe key may not list events')], default='', max_length=20, verbose_name='paused'),
        ),
        migrations.AlterField(
            model_name='productsync',
            name='product',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='sync', serialize=False, to='shop.product'),
        ),
        migrations.AlterField(
            model_name='productsync',
            name='refreshed_at',
            field=models.DateTimeField(blank=True, help_text='Start of the last refresh or stock update.', null=True, verbose_name='refreshed at'),
        ),
        migrations.AlterField(
            model_name='productsync',
            name='sales_cutoff',
            field=models.DateTimeField(blank=True, help_text='Sales paid up to this time are not counted automatically.', null=True, verbose_name='sales cutoff'),
        ),
        migrations.AlterField(
            model_name='stockitem',
            name='invalid_edits',
            field=models.SmallIntegerField(default=0, help_text='Edits that made the count invalid, minus edits that corrected it.'),
        ),
        migrations.AlterField(
            model_name='stockitem',
            name='invalid_overwritten',
            field=models.BooleanField(default=False, help_text='Whether an update of ours replaced an invalid count.'),
        ),
        migrations.AlterField(
            model_name='stockitem',
            name='invalid_since',
            field=models.DateTimeField(blank=True, help_text='Set while there are invalid edits.', null=True),
        ),
        migrations.AlterField(
            model_name='stockitem',
            name='invalid_units',
            field=models.IntegerField(default=0, help_text='Net change of those edits, in units.'),
        ),
        migrations.AlterField(
            model_name='stockitem',
            name='is_listed',
            field=models.BooleanField(default=True, help_text="Whether Stripe lists it among the product's sizes.", verbose_name='listed'),
        ),
        migrations.AlterField(
            model_name='stockitem',
            name='key',
            field=models.CharField(help_text='The exact metadata key at Stripe.', max_length=520, verbose_name='key'),
        ),
        migrations.AlterField(
            model_name='stockitem',
            name='on_hand',
            field=models.IntegerField(help_text='The count Stripe should show, by the ledger. Empty until a count has been read.', null=True, verbose_name='on hand'),
        ),
        migrations.AlterField(
            model_name='stockitem',
            name='opened_at',
            field=models.DateTimeField(blank=True, help_text='“updated” of the product in the first snapshot.', null=True),
        ),
        migrations.AlterField(
            model_name='stockitem',
            name='opened_count',
            field=models.IntegerField(blank=True, help_text='The count in the first snapshot; empty if it was invalid.', null=True),
        ),
        migrations.AlterField(
            model_name='stockitem',
            name='pending',
            field=models.IntegerField(default=0, help_text='Sum of the movements not yet at Stripe.', verbose_name='pending'),
        ),
        migrations.AlterField(
            model_name='stockitem',
            name='state',
            field=models.CharField(choices=[('counted', 'counted'), ('unlimited', 'not tracked'), ('unknown', 'unknown')], default='unknown', max_length=10, verbose_name='state'),
        ),
        migrations.AlterField(
            model_name='stockupdate',
            name='event_seen',
            field=models.BooleanField(default=False, verbose_name='event received'),
        ),
        migrations.AlterField(
            model_name='stockupdate',
            name='product',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='stock_updates', to='shop.product'),
        ),
        migrations.AlterField(
            model_name='stockupdate',
            name='totals',
            field=models.JSONField(help_text='Counts by metadata key, without the version tag.', verbose_name='totals'),
        ),
        migrations.AlterField(
            model_name='stripeevent',
            name='needs_stripe',
            field=models.BooleanField(default=False, help_text='The handler must call Stripe, so a separate worker task handles the event.'),
        ),
        migrations.AlterField(
            model_name='stripeevent',
            name='next_attempt_at',
            field=models.DateTimeField(verbose_name='next attempt'),
        ),
        migrations.AlterField(
            model_name='stripeevent',
            name='object_id',
            field=models.CharField(blank=True, help_text='Id of the object the event is about.', max_length=255, verbose_name='object'),
        ),
        migrations.AlterField(
            model_name='versionsnapshot',
            name='counts',
            field=models.JSONField(help_text='Counts by metadata key; invalid ones are left out.', verbose_name='counts'),
        ),
        migrations.AlterField(
            model_name='versionsnapshot',
            name='from_update',
            field=models.BooleanField(default=False, help_text='Set by the update itself, before any edit.'),
        ),
    ]
