"""Units that were oversold before decisions were kept: those whose issue is closed were decided by the owner."""

from django.db import migrations
from django.db.models import Sum


def decide_closed_issues(apps, schema_editor):
    Movement, Issue = apps.get_model("inventory", "Movement"), apps.get_model("inventory", "Issue")
    decisions = apps.get_model("inventory", "OversoldDecision").objects
    items = apps.get_model("inventory", "StockItem").objects
    open_subjects = set(
        Issue.objects.filter(kind="oversold", closed_at=None).values_list("subject", flat=True)
    )
    rows = Movement.objects.filter(kind="oversold", delta__gt=0).order_by().values("item")
    for row in rows.annotate(units=Sum("delta")):
        item = items.get(pk=row["item"])
        if f"{item.product_id} {item.key}" not in open_subjects:
            decisions.create(
                item=item, kind="ignored", units=row["units"], token=f"before:{item.pk}", reason="closed before"
            )


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0017_oversold_decisions'),
    ]

    operations = [migrations.RunPython(decide_closed_issues, migrations.RunPython.noop)]
