"""WSGI application for servers such as gunicorn."""

import os

from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import import_string

from config.worker_tasks import WEB_WATCH

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
import_string(WEB_WATCH)()
