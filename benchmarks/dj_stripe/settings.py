"""Settings of the comparison: dj-stripe as its documentation sets it up, and nothing that would slow it down.

DATABASE is the JSON of Django's DATABASES["default"]: the shop's own, with the same options and persistent connections.
"""

import json
import os

DEBUG = False
SECRET_KEY = "only for measuring on this machine"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "benchmarks.dj_stripe.urls"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "djstripe",
    "benchmarks.dj_stripe.sales.apps.SalesConfig",
]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
DATABASES = {"default": json.loads(os.environ["DATABASE"])}
STRIPE_API_HOST = os.environ["STRIPE_HERE"]
STRIPE_TEST_SECRET_KEY = os.environ["STRIPE_API_KEY"]
STRIPE_LIVE_MODE = False
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
