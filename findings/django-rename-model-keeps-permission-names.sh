#!/usr/bin/env bash
# Django 5.2.19: after RenameModel, staff lose the rights they had on the model.
#
# Guess: a migration that renames a model keeps the rights of users, as it keeps rows, foreign keys and admin history.
# Seen: the content type is renamed (django.contrib.contenttypes adds that operation itself), but its permissions keep the
# old codenames. `post_migrate` then creates the new codenames, granted to no user: change_case stays on the user, and the
# admin asks for change_issue. Both stand under the same content type, so a list of rights shows the model twice.
#
# The shop's migration inventory.0009 therefore renames the codenames itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check 'django==5.2.19'
mkdir -p desk/migrations
touch desk/__init__.py desk/migrations/__init__.py
cat > desk/models.py <<'PY'
from django.db import models


class Issue(models.Model):
    text = models.TextField()
PY
cat > desk/migrations/0001_initial.py <<'PY'
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Case", [("id", models.BigAutoField(primary_key=True)), ("text", models.TextField())])
    ]
PY
cat > desk/migrations/0002_rename.py <<'PY'
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("desk", "0001_initial")]
    operations = [migrations.RenameModel("Case", "Issue")]
PY
cat > run.py <<'PY'
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "desk"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()
from django.contrib.auth.models import Permission, User
from django.core.management import call_command

call_command("migrate", "auth", verbosity=0)
call_command("migrate", "desk", "0001", verbosity=0)
user = User.objects.create_user("packer")
user.user_permissions.add(Permission.objects.get(codename="change_case"))
call_command("migrate", verbosity=0)
user = User.objects.get(username="packer")
rights = Permission.objects.filter(content_type__app_label="desk", codename__startswith="change_")
print("Django", django.get_version())
print("permissions:", sorted((p.codename, p.content_type.model) for p in rights))
print("change_case:", user.has_perm("desk.change_case"), "change_issue:", user.has_perm("desk.change_issue"))
PY
venv/bin/python run.py | tee seen.txt
grep -q "permissions: \[('change_case', 'issue'), ('change_issue', 'issue')\]" seen.txt
grep -q "change_case: True change_issue: False" seen.txt
echo "as described"
