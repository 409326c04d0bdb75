#!/usr/bin/env bash
# A resource command of the Stripe CLI, and `stripe post`, exit with 0 although the API refused the request, and print
# the error object to standard output like an answer: `set -e` and `&&` do not notice. One would have guessed a code
# other than 0, as `stripe trigger` gives for the same refusal. Exits 1 if that changes. Needs bash, npm, python3.
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
        body = b'{"error": {"type": "invalid_request_error", "message": "refused by the stub"}}'
        self.send_response(400)
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

export HOME=$work STRIPE_CLI_TELEMETRY_OPTOUT=1 STRIPE_API_KEY=sk_test_123456789012
"$stripe" --version
codes=
for command in "products create --name=A" "products list" "post /v1/products" "trigger product.created"; do
    set +e
    # shellcheck disable=SC2086
    "$stripe" $command --api-base "http://127.0.0.1:$(cat "$work/port")" > "$work/out" 2> "$work/err"
    code=$?
    set -e
    echo "stripe $command: exit $code, standard output: $(tr -d '\n' < "$work/out" | tail -c 90)"
    codes+=$code
done
[ "$codes" = 0001 ]
