#!/usr/bin/env python
"""Django's command line for this shop."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as exc:
        # The message is one sentence; a traceback would bury it.
        sys.exit(f"{exc}")


if __name__ == "__main__":
    main()
