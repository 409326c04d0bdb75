"""The roles of the admin as groups: Owner, Packer and Bookkeeper. A shop may change them; nothing resets them."""

from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.models import Q

PACKER = {"checkout": ["view_order", "view_orderline", "pack_order"]}
BOOKKEEPER = {
    "checkout": ["view_order", "view_orderline", "view_refund", "view_reports"],
    "inventory": ["view_movement", "view_stockitem"],
    "shop": ["view_product"],
    "admin": ["view_logentry"],
}


def create_roles(apps, schema_editor):
    # Permissions are created after all migrations, but the groups need them now.
    for label in ("admin", "shop", "inventory", "checkout"):
        app_config = apps.get_app_config(label)
        app_config.models_module = True
        create_permissions(app_config, verbosity=0, using=schema_editor.connection.alias, apps=apps)
        app_config.models_module = None

    of_the_shop = Q(content_type__app_label__in=["shop", "inventory", "checkout"])
    log = Q(content_type__app_label="admin", codename="view_logentry")
    roles = {"Owner": of_the_shop | log, "Packer": _named(PACKER), "Bookkeeper": _named(BOOKKEEPER)}
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, permissions in roles.items():
        group, created = Group.objects.get_or_create(name=name)
        if created:
            group.permissions.set(Permission.objects.filter(permissions))


def _named(codenames):
    query = Q()
    for label, names in codenames.items():
        query |= Q(content_type__app_label=label, codename__in=names)
    return query


class Migration(migrations.Migration):

    dependencies = [
        ('admin', '0003_logentry_add_action_flag_choices'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('checkout', '0012_hold_limits'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('inventory', '0015_catalog_ids'),
        ('shop', '0004_feeds'),
    ]

    operations = [migrations.RunPython(create_roles, migrations.RunPython.noop)]
