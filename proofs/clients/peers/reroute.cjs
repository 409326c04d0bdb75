// Preload for programs that speak to https://api.stripe.com only: sends their requests to the fake at STRIPE_HERE.
// Nothing else is changed. Requests to any other host fail.
const http = require('node:http');
const https = require('node:https');
const { syncBuiltinESMExports } = require('node:module');

const here = new URL(process.env.STRIPE_HERE);

function onlyStripe(host) {
  if (host !== 'api.stripe.com') throw new Error(`this test has no network: ${host}`);
}

https.request = ({ agent, ...options }, ...rest) => {
  onlyStripe(options.host ?? options.hostname);
  const request = http.request({ ...options, host: here.hostname, port: here.port, protocol: 'http:' }, ...rest);
  // stripe-node waits for TLS before it sends the body.
  request.on('socket', (socket) => socket.once('connect', () => socket.emit('secureConnect')));
  return request;
};
syncBuiltinESMExports();

const fetched = globalThis.fetch;
globalThis.fetch = async (address, ...rest) => {
  const { hostname, pathname, search } = new URL(address);
  onlyStripe(hostname);
  return fetched(new URL(pathname + search, here), ...rest);
};
