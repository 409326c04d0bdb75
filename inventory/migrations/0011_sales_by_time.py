"""An index for what was sold in a period, by size."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0010_texts'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='movement',
            index=models.Index(fields=['kind', 'created_at', 'item', 'delta'], name='sales_by_time'),
        ),
    ]
