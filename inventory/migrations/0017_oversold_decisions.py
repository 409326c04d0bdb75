"""What the owner decided about units that were sold beyond the stock."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0016_hold_limits'),
    ]

    operations = [
        migrations.CreateModel(
            name='OversoldDecision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('refunded', 'refunded'), ('delivery', 'sent from the next delivery'), ('ignored', 'ignored')], max_length=10, verbose_name='decision')),
                ('units', models.PositiveIntegerField(verbose_name='units')),
                ('owed', models.PositiveIntegerField(default=0, help_text='Units that the next delivery still has to cover.', verbose_name='owed')),
                ('token', models.CharField(help_text='Makes a second click harmless.', max_length=100, unique=True)),
                ('reason', models.CharField(blank=True, max_length=500, verbose_name='reason')),
                ('actor', models.CharField(max_length=150, verbose_name='by')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='when')),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='oversold_decisions', to='inventory.stockitem')),
            ],
            options={
                'verbose_name': 'oversold decision',
                'verbose_name_plural': 'oversold decisions',
                'ordering': ['id'],
                'indexes': [models.Index(condition=models.Q(('owed__gt', 0)), fields=['item'], name='oversold_units_still_owed')],
                'constraints': [models.CheckConstraint(condition=models.Q(('owed__lte', models.F('units'))), name='no_more_is_owed_than_decided')],
            },
        ),
    ]
