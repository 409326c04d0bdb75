"""Issues for requests of customers."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0020_customer_mail_issues'),
    ]

    operations = [
        migrations.AlterField(
            model_name='issue',
            name='kind',
            field=models.CharField(choices=[('oversold', 'oversold'), ('count_too_large', 'count too large'), ('unreadable_count', 'unreadable count'), ('foreign_version', 'another shop updates this product'), ('restored_database', 'restored database'), ('event_gap', 'missing event history'), ('sale_before_sync', 'sale during first refresh'), ('ambiguous_edit', 'ambiguous edit'), ('edit_to_review', 'edit to review'), ('update_refused', 'stock update rejected'), ('publishing_stopped', 'publishing stopped'), ('event_failed', 'event not handled'), ('stripe_key', 'Stripe key'), ('no_deliveries', 'no webhook deliveries'), ('refresh_failed', 'refresh failed'), ('publish_failed', 'stock update failed'), ('checkout_refused', 'checkout rejected'), ('needs_size', 'sale without a size'), ('unknown_sale', 'sale of unknown goods'), ('order_failed', 'order not updated'), ('refund_to_review', 'refund: back to stock?'), ('refund_failed', 'refund failed'), ('dispute', 'dispute'), ('agent_catalog', 'catalog for agents'), ('session_not_found', 'session not found'), ('setup', 'setup'), ('holds', 'held, not bought'), ('customer_mail', 'mail to a customer'), ('customer_request', 'request of a customer')], max_length=40, verbose_name='kind'),
        ),
    ]
