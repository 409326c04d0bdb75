"""“Opened by this shop” becomes “external”, and the state “released” becomes “canceled”."""

from django.db import migrations
from django.db.models import Case, Value, When


def turn_round(apps, schema_editor):
    orders = apps.get_model("checkout", "Order").objects
    orders.update(is_external=Case(When(is_external=True, then=Value(False)), default=Value(True)))


def forward(apps, schema_editor):
    turn_round(apps, schema_editor)
    apps.get_model("checkout", "Order").objects.filter(state="released").update(state="canceled")


def backward(apps, schema_editor):
    turn_round(apps, schema_editor)
    apps.get_model("checkout", "Order").objects.filter(state="canceled").update(state="released")


class Migration(migrations.Migration):
    dependencies = [("checkout", "0003_trade_words")]

    operations = [migrations.RunPython(forward, backward)]
