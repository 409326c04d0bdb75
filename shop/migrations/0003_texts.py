"""Follow the labels and help texts of the models; no column changes."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('shop', '0002_trade_words'),
    ]

    operations = [
        migrations.AlterField(
            model_name='product',
            name='colors',
            field=models.JSONField(default=list, verbose_name='colors'),
        ),
        migrations.AlterField(
            model_name='product',
            name='fetched_at',
            field=models.DateTimeField(help_text='When the fetch of this data began.', verbose_name='fetched'),
        ),
        migrations.AlterField(
            model_name='product',
            name='highest_amount',
            field=models.BigIntegerField(help_text='In the minor unit.', null=True, verbose_name='highest price'),
        ),
        migrations.AlterField(
            model_name='product',
            name='images',
            field=models.JSONField(default=list, help_text='URLs that may be shown.', verbose_name='images'),
        ),
        migrations.AlterField(
            model_name='product',
            name='lowest_amount',
            field=models.BigIntegerField(help_text='In the minor unit.', null=True, verbose_name='lowest price'),
        ),
        migrations.AlterField(
            model_name='product',
            name='metadata',
            field=models.JSONField(default=dict, help_text='As stored at Stripe, without counts.', verbose_name='metadata'),
        ),
        migrations.AlterField(
            model_name='product',
            name='prices',
            field=models.JSONField(default=list, help_text='Rows of shop.prices.Price.', verbose_name='prices'),
        ),
        migrations.AlterField(
            model_name='product',
            name='problems',
            field=models.JSONField(default=list, help_text='Problems with the data at Stripe, as sentences.', verbose_name='problems'),
        ),
        migrations.AlterField(
            model_name='product',
            name='search_text',
            field=models.TextField(blank=True, help_text='Searched text, case folded.'),
        ),
        migrations.AlterField(
            model_name='product',
            name='sizes',
            field=models.JSONField(default=list, help_text='In the order of the metadata. Empty if the product has no sizes.', verbose_name='sizes'),
        ),
        migrations.AlterField(
            model_name='sizeguide',
            name='category',
            field=models.CharField(blank=True, help_text='Leave empty to apply to all products without a guide of their own.', max_length=100, unique=True, verbose_name='category'),
        ),
        migrations.AlterField(
            model_name='sizeguide',
            name='lines',
            field=models.TextField(help_text='One line per size: “S 27 1/2, 21 1/2, 34”. Fractions and decimals are accepted.', verbose_name='sizes'),
        ),
        migrations.AlterField(
            model_name='sizeguide',
            name='unit',
            field=models.CharField(choices=[('in', 'inches'), ('cm', 'centimeters')], default='in', max_length=2, verbose_name='measured in'),
        ),
        migrations.AlterField(
            model_name='storefront',
            name='about',
            field=models.TextField(blank=True, help_text='Shown in the footer.', verbose_name='about'),
        ),
        migrations.AlterField(
            model_name='storefront',
            name='accent',
            field=models.CharField(blank=True, help_text='Color of links and buttons.', max_length=7, validators=[django.core.validators.RegexValidator('^#[0-9a-fA-F]{6}\\Z', 'Enter a color like #1f4b3f.')], verbose_name='accent'),
        ),
        migrations.AlterField(
            model_name='storefront',
            name='announcement',
            field=models.CharField(blank=True, help_text='Shown at the top of every page.', max_length=200, verbose_name='announcement'),
        ),
        migrations.AlterField(
            model_name='storefront',
            name='background',
            field=models.CharField(blank=True, help_text='Page background in light mode.', max_length=7, validators=[django.core.validators.RegexValidator('^#[0-9a-fA-F]{6}\\Z', 'Enter a color like #1f4b3f.')], verbose_name='background'),
        ),
        migrations.AlterField(
            model_name='storefront',
            name='legal_notice',
            field=models.TextField(blank=True, verbose_name='legal notice'),
        ),
        migrations.AlterField(
            model_name='storefront',
            name='logo',
            field=models.TextField(blank=True, help_text='URL of an image; the same rules apply as for product images.', verbose_name='logo'),
        ),
        migrations.AlterField(
            model_name='storefront',
            name='name',
            field=models.CharField(blank=True, help_text='Defaults to SHOP_NAME.', max_length=100, verbose_name='name'),
        ),
        migrations.AlterField(
            model_name='storefront',
            name='show_counts',
            field=models.BooleanField(default=True, help_text='Show “Only 3 left” instead of “Only a few left”.', verbose_name='show counts'),
        ),
    ]
