"""Indexes and times to find the rows that are deleted after a while."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0021_customer_request_issues'),
    ]

    operations = [
        migrations.RenameField(
            model_name='processedrequest',
            old_name='processed_at',
            new_name='created_at',
        ),
        migrations.AlterField(
            model_name='processedrequest',
            name='created_at',
            field=models.DateTimeField(),
        ),
        migrations.AddIndex(
            model_name='stripeevent',
            index=models.Index(fields=['received_at'], name='events_by_time'),
        ),
    ]
