"""Settings of a Django project with nothing but dj-stripe. It runs in a virtual environment of its own."""

import os

SECRET_KEY = "only-for-tests"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "djstripe"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["DATABASE_FILE"],
        # Webhooks arrive several at a time.
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
    }
}
ROOT_URLCONF = "dj_stripe_urls"
STRIPE_API_HOST = os.environ.get("STRIPE_HERE", "http://127.0.0.1:9")
STRIPE_TEST_SECRET_KEY = os.environ.get("STRIPE_API_KEY", "")
STRIPE_LIVE_MODE = False
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
