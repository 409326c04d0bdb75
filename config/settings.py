"""Django settings, read from environment variables.

Every variable has one comment line in .env.example. The file named by ENV_FILE (default: .env beside manage.py) fills in
variables that are not in the environment.
"""

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from config.client_address import are_networks
from config.env import (
    API_KEY_FORM,
    HOST_FORM,
    ORIGIN_FORM,
    ORIGIN_OR_PATH_FORM,
    SIGNING_FORM,
    get_addresses,
    get_bool,
    get_cache,
    get_database,
    get_email,
    get_int,
    get_list,
    get_log_level,
    get_matching,
    get_secret,
    get_str,
    get_time_zone,
    read_file,
)
from config.middleware import LOOPBACK_HOSTS

BASE_DIR = Path(__file__).resolve().parent.parent

read_file(BASE_DIR / ".env")

# --- Django -----------------------------------------------------------------------------------

DEBUG = get_bool("DEBUG", default=False)
SECRET_KEY = get_secret("SECRET_KEY")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set: put a long random text into .env (see .env.example), or run script/demo to try the shop."
    )
# Earlier keys: links and sessions that were signed with them stay valid.
SECRET_KEY_FALLBACKS = get_list("SECRET_KEY_FALLBACKS")

# Public address of the shop. Links in mails and return URLs for Stripe are built from this, never from the Host header
# of a request.
SITE_URL = get_str("SITE_URL", "http://localhost:8000").rstrip("/")
_site = urlsplit(SITE_URL if re.fullmatch(ORIGIN_FORM, SITE_URL) else "")
if not _site.hostname:
    raise ImproperlyConfigured(f"SITE_URL must look like https://shop.example, not {SITE_URL!r}.")
_on_this_machine = _site.hostname in {"localhost", "127.0.0.1", "::1"}

ALLOWED_HOSTS = get_list("ALLOWED_HOSTS", each=HOST_FORM, such_as="shop.example,www.shop.example") or (
    LOOPBACK_HOSTS if _on_this_machine else [_site.hostname]
)
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "config.admin.ShopAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sitemaps",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "shop",
    "inventory",
    "checkout",
]

MIDDLEWARE = [
    "config.logs.request_context",
    "config.middleware.limit_body",
    "inventory.middleware.WebhookFastPath",  # Stripe needs none of the others
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Below WhiteNoise, whose files are compressed already. Against BREACH, Django masks the CSRF token differently in
    # each response, and this middleware adds random bytes to the length.
    "django.middleware.gzip.GZipMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.languages.choose_language",  # Before all that resolve addresses.
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "shop.currencies.choose_currency",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
if _on_this_machine:
    MIDDLEWARE.insert(0, "config.middleware.canonical_host")

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shop.context_processors.storefront",
                "checkout.context_processors.cart",
            ],
        },
    },
]

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # First: counts a guess before the password is checked.
    "django.contrib.auth.backends.ModelBackend",
]
# Five guesses of one name from one address in 15 minutes. By address alone, three typos of anyone behind a proxy on the
# same machine would lock the owner out.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "config.login.login_address"
AXES_LOCKOUT_TEMPLATE = "admin/locked_out.html"
AXES_VERBOSE = False
# Whether everyone needs a second factor; who has enrolled one always does.
SECOND_FACTOR_REQUIRED = get_bool("SECOND_FACTOR_REQUIRED", default=False)
STAFF_SESSION_HOURS = get_int("STAFF_SESSION_HOURS", default=12, least=1)
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# What the pages can be shown in. Each names itself, so that people find their own.
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fr", "Français")]
LANGUAGE_CODE = "en"  # Of the admin, the worker and the logs.
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "config.formats"
# What this shop is shown in; the first one has addresses without a prefix.
SHOP_LANGUAGES = list(
    dict.fromkeys(get_list("SHOP_LANGUAGES", "en", each="|".join(dict(LANGUAGES)), such_as="en,de"))
)
TIME_ZONE = get_time_zone("TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(get_str("STATIC_ROOT") or BASE_DIR / "staticfiles")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
# Pages link to hashed names only. Half as many files to compress, for which `collectstatic` needs most of its time.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# In the database, so that a logout ends the session on the server. Rows are written when a cart changes, not on reads.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # Strict would hide the cart from a customer who returns from Stripe.

OWNER_EMAILS = get_addresses("OWNER_EMAIL")
DEFAULT_FROM_EMAIL = SERVER_EMAIL = (
    get_addresses("DEFAULT_FROM_EMAIL") or OWNER_EMAILS or ["shop@localhost"]
)[0]
globals().update(get_email("EMAIL_URL", "consolemail://"))
# Kinds of mails to customers that are not sent (checkout.mail.kinds), or "all". Without a mail server none are sent.
CUSTOMER_MAILS_OFF = get_list(
    "CUSTOMER_MAILS_OFF", each=r"[a-z_]+", such_as="order_confirmation,order_sent or all"
)
# Connections that are opened to the mail server at most, while many mails wait.
EMAIL_CONNECTIONS = get_int("EMAIL_CONNECTIONS", default=20, least=1, most=100)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "config.logs.LineFormatter"},
        "json": {"()": "config.logs.JsonFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": get_matching("LOG_FORMAT", "line|json", "line", such_as="line or json"),
        }
    },
    "root": {"handlers": ["console"], "level": get_log_level("LOG_LEVEL", "INFO")},
    # The library logs every request and response at INFO; our own log lines cover the outcome.
    "loggers": {"stripe": {"level": "WARNING"}},
}

# --- Database ---------------------------------------------------------------------------------

DATABASES = {"default": get_database("DATABASE_URL", f"sqlite:///{BASE_DIR / 'shop.sqlite3'}")}
_database = DATABASES["default"]
# A request that talks to Stripe must not hold a transaction. In a URL, `atomic_requests=false` would turn them on.
_database["ATOMIC_REQUESTS"] = False
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: transactions take the write lock at the start, so concurrent writers queue instead of failing with
    # "database is locked". FULL: an event that was answered with 200 survives a power failure.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    # Opening and configuring the file took a third of a page's time.
    _database["CONN_MAX_AGE"] = get_int("CONN_MAX_AGE", default=60, least=0)
else:
    # The ledger's conditional UPDATEs rely on READ COMMITTED; a system check of inventory verifies it.
    _database.setdefault("OPTIONS", {})["isolation_level"] = 2  # psycopg.IsolationLevel.READ_COMMITTED
    _database["CONN_MAX_AGE"] = get_int("CONN_MAX_AGE", default=60, least=0)
    _database["CONN_HEALTH_CHECKS"] = True

CACHES = {"default": get_cache("CACHE_URL", "locmemcache://")}

# --- Stripe -----------------------------------------------------------------------------------

STRIPE_SECRET_KEY = get_secret(
    "STRIPE_SECRET_KEY", API_KEY_FORM, "a secret or restricted key (sk_... or rk_...)"
)
# Several secrets are valid at once while a secret is being rolled.
STRIPE_WEBHOOK_SECRETS = [
    part.strip()
    for part in get_secret(
        "STRIPE_WEBHOOK_SECRET",
        SIGNING_FORM,
        "a signing secret (whsec_...) or several, separated by commas",
    ).split(",")
    if part.strip()
]
STRIPE_API_BASE = get_matching(
    "STRIPE_API_BASE", ORIGIN_OR_PATH_FORM, "https://api.stripe.com", such_as="https://api.stripe.com"
).rstrip("/")
# For a copy of the shop that must change nothing at Stripe, such as that of manage.py restore_drill.
STRIPE_READ_ONLY = get_bool("STRIPE_READ_ONLY", default=False)
# Origin of Stripe's hosted payment pages; forms may redirect there (CSP form-action).
STRIPE_CHECKOUT_ORIGIN = get_matching(
    "STRIPE_CHECKOUT_ORIGIN",
    f"({ORIGIN_FORM})/?",
    "https://checkout.stripe.com",
    such_as="https://checkout.stripe.com",
).rstrip("/")
# Target of the admin's links to products and payments.
STRIPE_DASHBOARD = get_matching(
    "STRIPE_DASHBOARD", f"({ORIGIN_OR_PATH_FORM})?", "", such_as="https://dashboard.stripe.com"
).rstrip("/") or (f"https://dashboard.stripe.com{'' if '_live_' in STRIPE_SECRET_KEY else '/test'}")
STRIPE_WEBHOOK_TOLERANCE = get_int(
    "STRIPE_WEBHOOK_TOLERANCE", default=300, least=1
)  # seconds, in both directions
STRIPE_WEBHOOK_MAX_BYTES = get_int("STRIPE_WEBHOOK_MAX_BYTES", default=512 * 1024, least=1)

# --- Shop -------------------------------------------------------------------------------------

SHOP_NAME = get_str("SHOP_NAME", "Our Shop")
OTP_TOTP_ISSUER = SHOP_NAME
SHOP_CURRENCY = get_matching("SHOP_CURRENCY", r"[A-Za-z]{3}", "usd", such_as="usd").lower()
# Other currencies for customers to choose, each offered once every price and shipping rate has an amount in it.
SHOP_CURRENCIES = [
    code
    for code in dict.fromkeys(
        code.lower() for code in get_list("SHOP_CURRENCIES", each=r"[A-Za-z]{3}", such_as="eur,gbp")
    )
    if code != SHOP_CURRENCY
]
# Two-letter codes of the countries to ship to; empty: Stripe does not ask for an address.
SHIPPING_COUNTRIES = [
    country.upper() for country in get_list("SHIPPING_COUNTRIES", each=r"[A-Za-z]{2}", such_as="US,DE")
]
# Ids of shipping rates (shr_...) offered at checkout; empty: shipping is free.
SHIPPING_RATES = get_list("SHIPPING_RATES", each=r"shr_\w+", such_as="shr_1,shr_2")
# Let Stripe Tax calculate the tax; it must be set up in the account.
STRIPE_AUTOMATIC_TAX = get_bool("STRIPE_AUTOMATIC_TAX", default=False)
ALLOW_PROMOTION_CODES = get_bool("ALLOW_PROMOTION_CODES", default=False)
COLLECT_PHONE_NUMBER = get_bool("COLLECT_PHONE_NUMBER", default=False)
# Stripe's catalog for AI agents: off, or show (agents show the products, this shop sells them).
AGENT_CATALOG = get_matching("AGENT_CATALOG", "off|show", "off", such_as="show")
LOW_STOCK_THRESHOLD = get_int("LOW_STOCK_THRESHOLD", default=5, least=0)
# Origins of images that may be shown; empty: any https image.
ALLOWED_IMAGE_ORIGINS = [
    origin.rstrip("/")
    for origin in get_list(
        "ALLOWED_IMAGE_ORIGINS", each=f"({ORIGIN_FORM})/?", such_as="https://files.stripe.com"
    )
]
# Stripe takes 30 minutes to 24 hours, by its own clock when the request arrives
# (https://docs.stripe.com/api/checkout/sessions/create, expires_at). With 1440, a clock that is a few seconds fast made
# Stripe refuse every checkout.
CHECKOUT_EXPIRES_MINUTES = get_int("CHECKOUT_EXPIRES_MINUTES", default=35, least=31, most=24 * 60 - 5)

# --- Limits of what unpaid checkouts may hold -------------------------------------------------

MAX_UNITS_PER_SIZE = get_int("MAX_UNITS_PER_SIZE", default=10, least=1, most=999)  # in one order, all colors
MAX_UNITS_PER_CART = get_int("MAX_UNITS_PER_CART", default=100, least=1)
# If unpaid checkouts hold more than this part of a size, one order may hold one unit of it (or 0.5 %); 0: no limit.
HOLD_RUSH_PERCENT = get_int("HOLD_RUSH_PERCENT", default=20, least=0, most=100)
# How long one cart may hold by opening a payment page again and again, before others get their turn.
HOLD_MINUTES_IN_A_ROW = get_int("HOLD_MINUTES_IN_A_ROW", default=60, least=1)
# Addresses of proxies whose X-Forwarded-For names the client, as networks; "unix" for a Unix socket. The next two
# limits count behind a declared proxy only.
TRUSTED_PROXIES = get_list("TRUSTED_PROXIES")
if not are_networks(TRUSTED_PROXIES):
    raise ImproperlyConfigured("TRUSTED_PROXIES must be a list such as 127.0.0.1,10.0.0.0/8,unix.")
OPEN_CHECKOUTS_PER_ADDRESS = get_int("OPEN_CHECKOUTS_PER_ADDRESS", default=10, least=1)
CHECKOUTS_PER_ADDRESS_AND_HOUR = get_int("CHECKOUTS_PER_ADDRESS_AND_HOUR", default=30, least=1)

# --- After the sale ---------------------------------------------------------------------------

# How long a link to an order's page is valid; the customer can ask for a new one at any time.
ORDER_LINK_DAYS = get_int("ORDER_LINK_DAYS", default=180, least=1)
# How long after the parcel was sent customers can ask on the order's page to return something; 0: they cannot.
RETURN_DAYS = get_int("RETURN_DAYS", default=30, least=0)
# Days after which e-mail address, phone number and messages of an order are erased; 0: only by erase_customer.
CUSTOMER_DATA_DAYS = get_int("CUSTOMER_DATA_DAYS", default=0, least=0)
# Days for which name and address of a paid order are kept, because the law wants invoices kept.
INVOICE_DATA_DAYS = get_int("INVOICE_DATA_DAYS", default=3653, least=0)

# --- Back in stock ----------------------------------------------------------------------------

# Customers may ask to be mailed when a sold-out size is back. Without a mail server, or without these mails, they cannot.
RESTOCK_SIGNUPS = (
    get_bool("RESTOCK_SIGNUPS", default=True)
    and not {"all", "restock_confirmation", "back_in_stock"} & set(CUSTOMER_MAILS_OFF)
    and not globals()["EMAIL_BACKEND"].endswith((".console.EmailBackend", ".dummy.EmailBackend"))
)
RESTOCK_CONFIRM_DAYS = get_int("RESTOCK_CONFIRM_DAYS", default=3, least=1)  # then the address is deleted
RESTOCK_WAIT_DAYS = get_int("RESTOCK_WAIT_DAYS", default=365, least=1)  # likewise
# While units are left, the next ones on the list are mailed this long after the first.
RESTOCK_WAVE_MINUTES = get_int("RESTOCK_WAVE_MINUTES", default=60, least=0)
RESTOCK_SIGNUPS_PER_ADDRESS_AND_HOUR = get_int("RESTOCK_SIGNUPS_PER_ADDRESS_AND_HOUR", default=20, least=1)

# --- Monitoring -------------------------------------------------------------------------------

# With it, /readyz shows details and /metrics answers (Authorization: Bearer).
MONITORING_TOKEN = get_secret("MONITORING_TOKEN", r"\S+", "a long random text")

# --- Security ---------------------------------------------------------------------------------

_https = _site.scheme == "https"
SECURE_SSL_REDIRECT = get_bool("SECURE_SSL_REDIRECT", default=_https)
SECURE_HSTS_SECONDS = get_int("SECURE_HSTS_SECONDS", default=60 * 60 * 24 * 365 if _https else 0, least=0)
# Off by default: both affect the owner's other sites on the domain, and preloading takes months to undo.
SECURE_HSTS_INCLUDE_SUBDOMAINS = get_bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = get_bool("SECURE_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _https
LANGUAGE_COOKIE_AGE = 60 * 60 * 24 * 365
if get_bool("TRUST_X_FORWARDED_PROTO", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
# The shop's own forms are far smaller. Django does not count files here: config.middleware.limit_body ends larger bodies,
# files included, before anything is read, so that none reaches the disk.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
MAX_BODY_BYTES = max(DATA_UPLOAD_MAX_MEMORY_SIZE, STRIPE_WEBHOOK_MAX_BYTES + 1)
# No header of a request may change the links of a page, which is cached for everybody.
FORCE_SCRIPT_NAME = ""

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "img-src": [SELF, "data:", *(ALLOWED_IMAGE_ORIGINS or ["https:"])],
        "form-action": [SELF, STRIPE_CHECKOUT_ORIGIN],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

# --- Errors -----------------------------------------------------------------------------------

SENTRY_DSN = get_secret(
    "SENTRY_DSN", r"https?://[^\s/@]+@[^\s/]+/(\S*/)?\d+", "a DSN (https://key@host/project)"
)
if SENTRY_DSN:
    from config import sentry

    sentry.start(SENTRY_DSN)
