"""Defaults of feeds and structured data, and the local copy of shipping rates."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('shop', '0003_texts'),
    ]

    operations = [
        migrations.CreateModel(
            name='ShippingRate',
            fields=[
                ('id', models.CharField(max_length=255, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('currency', models.CharField(max_length=3)),
                ('amount', models.BigIntegerField(help_text='In the minor unit.', verbose_name='amount')),
                ('fetched_at', models.DateTimeField(verbose_name='fetched')),
            ],
            options={
                'verbose_name': 'shipping rate',
                'verbose_name_plural': 'shipping rates',
                'ordering': ['amount', 'id'],
            },
        ),
        migrations.AddField(
            model_name='storefront',
            name='age_group',
            field=models.CharField(blank=True, choices=[('newborn', 'newborn, up to 3 months'), ('infant', 'infant, 3 to 12 months'), ('toddler', 'toddler, 1 to 5 years'), ('kids', 'kids, 5 to 13 years'), ('adult', 'adult')], max_length=10, verbose_name='age group'),
        ),
        migrations.AddField(
            model_name='storefront',
            name='brand',
            field=models.CharField(blank=True, help_text='Defaults to the shop’s name.', max_length=70, verbose_name='brand'),
        ),
        migrations.AddField(
            model_name='storefront',
            name='free_returns',
            field=models.BooleanField(default=False, help_text='Whether you pay the postage of returns.', verbose_name='free returns'),
        ),
        migrations.AddField(
            model_name='storefront',
            name='gender',
            field=models.CharField(blank=True, choices=[('female', 'female'), ('male', 'male'), ('unisex', 'unisex')], max_length=10, verbose_name='gender'),
        ),
        migrations.AddField(
            model_name='storefront',
            name='google_category',
            field=models.CharField(blank=True, help_text='Such as “Apparel & Accessories > Clothing > Shirts & Tops”.', max_length=250, verbose_name='Google product category'),
        ),
        migrations.AddField(
            model_name='storefront',
            name='return_days',
            field=models.PositiveSmallIntegerField(blank=True, help_text='Told to search engines. 0: returns are not accepted. Empty: nothing is told.', null=True, verbose_name='days for returns'),
        ),
    ]
