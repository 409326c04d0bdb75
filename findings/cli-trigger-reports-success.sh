#!/usr/bin/env bash
# `stripe trigger checkout.session.async_payment_failed` says "Trigger succeeded!" and exits with 0 although the API
# refused its last three calls and no such event was made. One would have guessed 1, as for every other trigger.
# Exits 1 if that changes. Needs bash, npm and python3 on Linux x86-64.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${stub:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
npm install --silent --ignore-scripts --no-audit --no-fund --prefix "$work" @stripe/cli-linux-x64@1.52.0 >/dev/null
stripe=$work/node_modules/@stripe/cli-linux-x64/bin/stripe

cat > "$work/stub.py" <<'PY'
import http.server, sys
class Stub(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        refused = "payment_" in self.path or self.command == "GET"  # payment_pages, payment_methods
        body = b'{"error": {"type": "invalid_request_error", "message": "refused by the stub"}}' if refused else b'{"id": "x_1"}'
        self.send_response(400 if refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        print(400 if refused else 200, self.command, self.path, flush=True)
    do_GET = do_POST
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
open(sys.argv[1], "w").write(str(server.server_address[1]))
server.serve_forever()
PY
python3 "$work/stub.py" "$work/port" >> "$work/calls" & stub=$!
until [ -s "$work/port" ]; do sleep 0.05; done

export HOME=$work STRIPE_CLI_TELEMETRY_OPTOUT=1 STRIPE_API_KEY=sk_test_123456789012
run() { : > "$work/calls"; set +e; "$stripe" trigger "$1" --api-base "http://127.0.0.1:$(cat "$work/port")" > "$work/out" 2>&1; code=$?; set -e; }
"$stripe" --version
run checkout.session.async_payment_succeeded
echo "async_payment_succeeded: exit $code, $(grep -c ^400 "$work/calls") call refused"; succeeded=$code
run checkout.session.async_payment_failed
sed 's/^/  /' "$work/calls"
echo "async_payment_failed: exit $code, $(grep -c ^400 "$work/calls") calls refused, the CLI says: $(grep -o 'Trigger succeeded!' "$work/out" || echo nothing)"
[ "$succeeded" = 1 ] && [ "$code" = 0 ] && grep -q 'Trigger succeeded!' "$work/out" && [ "$(grep -c ^400 "$work/calls")" = 3 ]
