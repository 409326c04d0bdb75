#!/usr/bin/env bash
# dj-stripe's command `stripe_listen` runs `stripe listen` without --events, --all-snapshot or --all-thin, one of which
# the CLI demands since it also forwards thin events. The command announces that it forwards, shows the CLI's refusal,
# and exits with 0. One would have guessed that the newest releases of both work together, or a code other than 0.
# Exits 1 if that changes. Needs bash, npm, python3.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${stub:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
npm install --silent --ignore-scripts --no-audit --no-fund --prefix "$work" @stripe/cli-linux-x64@1.52.0 >/dev/null
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q dj-stripe==2.11.0 Django==5.2.19 stripe==15.6.2

# What `stripe listen --print-secret` asks Stripe for.
cat > "$work/stub.py" <<'PY'
import http.server, sys
class Stub(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b'{"websocket_url": "ws://127.0.0.1:9/", "websocket_id": "1", "secret": "whsec_1"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
open(sys.argv[1], "w").write(str(server.server_address[1]))
server.serve_forever()
PY
python3 "$work/stub.py" "$work/port" & stub=$!
until [ -s "$work/port" ]; do sleep 0.05; done

# The CLI under the name that dj-stripe calls, at the stub's address.
mkdir "$work/bin"
cat > "$work/bin/stripe" <<SH
#!/bin/sh
exec "$work/node_modules/@stripe/cli-linux-x64/bin/stripe" "\$@" --api-base "http://127.0.0.1:$(cat "$work/port")"
SH
chmod +x "$work/bin/stripe"
cat > "$work/settings.py" <<PY
SECRET_KEY = "1"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "djstripe"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "$work/db.sqlite3"}}
MIGRATION_MODULES = {"djstripe": None}
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
STRIPE_TEST_SECRET_KEY = "sk_test_$(printf 'a%.0s' {1..24})"
ROOT_URLCONF = "urls"
PY
cat > "$work/urls.py" <<'PY'
from django.urls import include, path
urlpatterns = [path("stripe/", include("djstripe.urls", namespace="djstripe"))]
PY

cd "$work"
export HOME=$work PATH="$work/bin:$PATH" STRIPE_CLI_TELEMETRY_OPTOUT=1 STRIPE_API_KEY=sk_test_123456789012
export PYTHONPATH=$work DJANGO_SETTINGS_MODULE=settings PYTHONUNBUFFERED=1
venv/bin/python -m django migrate --run-syncdb -v0
stripe --version
code=0
timeout 60 venv/bin/python -m django stripe_listen > out 2>&1 || code=$?
cat out
echo "stripe_listen: exit $code"
[ "$code" = 0 ] && grep -q "Forwarding Stripe webhooks" out && grep -q -- "--all-snapshot" out
