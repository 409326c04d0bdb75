"""The role Owner may see and resend mails to customers, and change their texts."""

from django.contrib.auth.management import create_permissions
from django.db import migrations


def allow_owners(apps, schema_editor):
    # Permissions are created after all migrations, but the group needs them now.
    app_config = apps.get_app_config("checkout")
    app_config.models_module = True
    create_permissions(app_config, verbosity=0, using=schema_editor.connection.alias, apps=apps)
    app_config.models_module = None
    owner = apps.get_model("auth", "Group").objects.filter(name="Owner").first()
    if owner:
        of_mails = apps.get_model("auth", "Permission").objects.filter(
            content_type__app_label="checkout", content_type__model__in=["customermail", "mailtext"]
        )
        owner.permissions.add(*of_mails)


class Migration(migrations.Migration):
    dependencies = [("checkout", "0017_language_of_an_order")]

    operations = [migrations.RunPython(allow_owners, migrations.RunPython.noop)]
