#!/usr/bin/env bash
# stripe-node with maxNetworkRetries: 0 still repeats a POST once when the connection is closed without an answer.
# One would have guessed a single request. (It sends the same idempotency key both times.) stripe-python with
# max_network_retries=0 sends one. Exits 1 if that changes. Needs bash, npm and node 20.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --ignore-scripts --no-audit --no-fund --prefix "$work" stripe@23.1.0 >/dev/null
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q stripe==16.1.0 requests

cat > "$work/stub.js" <<'JS'
const keys = [];
const server = require('http').createServer((request, response) => {
  if (request.url === '/keys') return response.end(JSON.stringify(keys.splice(0)));
  keys.push(request.headers['idempotency-key'] ?? null);
  request.resume().on('end', () => request.socket.destroy()); // no answer
});
server.listen(0, '127.0.0.1', () => {
  const port = server.address().port;
  const { execFile } = require('child_process');
  const keysOf = async () => (await fetch(`http://127.0.0.1:${port}/keys`)).json();
  const Stripe = require('stripe');
  const stripe = new Stripe('sk_test_1', { host: '127.0.0.1', port, protocol: 'http', maxNetworkRetries: 0 });
  stripe.products.create({ name: 'A' }).catch((error) => error.type).then(async (type) => {
    const node = await keysOf();
    console.log(`stripe-node ${Stripe.PACKAGE_VERSION ?? require('stripe/package.json').version}: ${node.length} requests, keys equal: ${node[0] === node[1]}, then ${type}`);
    const code = `import stripe
try: stripe.StripeClient("sk_test_1", base_addresses={"api": "http://127.0.0.1:${port}"}, max_network_retries=0).v1.products.create({"name": "A"})
except Exception as error: print(f"stripe-python {stripe.VERSION}:", type(error).__name__)`;
    execFile(process.argv[2], ['-c', code], async (error, out, err) => {
      const python = await keysOf();
      console.log(`${out.trim()}${err.slice(-300)}, ${python.length} request`);
      process.exit(node.length === 2 && node[0] && node[0] === node[1] && python.length === 1 ? 0 : 1);
    });
  });
});
JS
cd "$work" && node stub.js "$work/venv/bin/python"
