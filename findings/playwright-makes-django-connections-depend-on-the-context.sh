#!/usr/bin/env bash
# Playwright 1.65.2, its synchronous API, with Django 5.2.19 and asgiref 3.13.0: once a test has used a browser, code that
# runs in a new contextvars.Context of the same thread has another database connection.
#
# Guess: Django's connections belong to the thread ("thread-local objects", its documentation of databases), and the
# synchronous API of Playwright leaves nothing asynchronous behind in a synchronous test.
# Seen: Playwright keeps an event loop running in the calling thread until it is stopped, which pytest-playwright does at
# the end of the session. asgiref's Local, in which Django keeps its connections, is a thread-local while no loop runs in
# the thread and a context variable while one does. So Context().run(act) shares the connection before the first browser
# test and opens one of its own after it, which nobody closes: hooks set on the connection, such as execute_wrapper, do
# not see its statements, a transaction does not include them, and a server refuses connections when there are many.
#
# The shop's simulated processes (proofs/state_machine/processes.py) put the connection of the test into each new context.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check 'django==5.2.19' 'asgiref==3.13.0' 'playwright==1.65.2'
cat > run.py <<'PY'
import os
from contextvars import Context
from importlib.metadata import version

import django
from django.conf import settings
from django.db import connections
from playwright.sync_api import sync_playwright

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}})
django.setup()
print("Django", django.__version__, "asgiref", version("asgiref"), "Playwright", version("playwright"))


def tell(when: str) -> None:
    seen = []

    def statement(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    with connections["default"].execute_wrapper(statement):
        other = Context().run(act)
    print(when + ":", "the same connection," if other is connections["default"] else "another connection,",
          f"{len(seen)} statement seen by the hook")


def act():
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")
    return connections["default"]


tell("before Playwright")
playwright = sync_playwright().start()  # No browser is needed.
tell("while it runs")
playwright.stop()
tell("after it")
PY
venv/bin/python run.py | tee seen.txt
grep -q '^before Playwright: the same connection, 1 statement seen by the hook$' seen.txt
grep -q '^while it runs: another connection, 0 statement seen by the hook$' seen.txt
grep -q '^after it: the same connection, 1 statement seen by the hook$' seen.txt
echo "as described"
