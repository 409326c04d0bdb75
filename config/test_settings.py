"""Settings of the tests: the production settings with a fixed environment.

Variables of the developer's shell and .env are removed, so that a real Stripe key never reaches a test.
"""

import os
import re
from pathlib import Path

DATABASE_URL = os.environ.get("DATABASE_URL", "sqlite:///:memory:")
# .env.example lists every variable that the settings read; test_env_example.py checks it.
EXAMPLE = Path(__file__).resolve().parent.parent / ".env.example"
for name in re.findall(r"^#?([A-Z_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE):
    os.environ.pop(name, None)
    os.environ.pop(f"{name}_FILE", None)
os.environ.update(
    ENV_FILE="",
    DEBUG="False",
    SECRET_KEY="only-for-tests",
    SITE_URL="http://testserver",
    ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
    DATABASE_URL=DATABASE_URL,
    OWNER_EMAIL="owner@shop.test",
    STRIPE_SECRET_KEY="sk_test_fake",
    STRIPE_WEBHOOK_SECRET="whsec_test",
    STRIPE_API_BASE="http://stripe.test",
    STRIPE_CHECKOUT_ORIGIN="http://stripe.test",
    SHIPPING_COUNTRIES="US,DE",
    TIME_ZONE="UTC",
    EMAIL_URL="memorymail://",
    # Tests that are about them turn them on.
    CUSTOMER_MAILS_OFF="all",
)

from config.settings import *  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
