"""Which settings do these processes run with? The production ones; only what a dead process had in hand is free sooner."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "proofs.processes.apps.Mortal"]
# How the pages look is not the question here, so nothing is collected for them.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
