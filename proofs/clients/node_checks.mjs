// Checks of stripe-node against a fake on a port. Usage: node node_checks.mjs FOLDER_WITH_NODE_MODULES ADDRESS
// Prints one line of JSON for each check: its name, and what went wrong or null.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const [folder, address] = process.argv.slice(2);
const Stripe = createRequire(`${folder}/`)('stripe');
const { hostname: host, port } = new URL(address);

function connect(options = {}, key = 'sk_test_fake') {
  return new Stripe(key, { host, port, protocol: 'http', maxNetworkRetries: 0, telemetry: false, ...options });
}

async function control(method, path, content) {
  const answer = await fetch(address + path, { method, body: content && JSON.stringify(content) });
  return answer.json();
}

const fault = (kind, options = {}) => control('POST', '/_faults', { kind, ...options });
const noFaults = () => control('DELETE', '/_faults');

const stripe = connect();
const checks = [];
const check = (name, run) => checks.push([name, run]);

async function refused(promise, expected) {
  const error = await promise.then(() => null, (reason) => reason);
  assert.ok(error, 'the call was not refused');
  for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value, `${name} of "${error.message}"`);
  return error;
}

async function product(fields = {}) {
  return stripe.products.create({ name: 'Shirt', ...fields });
}

async function price(fields = {}) {
  return stripe.prices.create({ unit_amount: 2500, currency: 'usd', product: (await product()).id, ...fields });
}

async function session(fields = {}) {
  return stripe.checkout.sessions.create({
    mode: 'payment',
    success_url: 'https://shop.example/thanks',
    line_items: [{ price: (await price()).id, quantity: 2 }],
    ...fields,
  });
}

const pay = (id, more = {}) => control('POST', '/_actions/pay', { session_id: id, ...more });

// products and prices
check('a product is created and retrieved', async () => {
  const made = await product({ description: 'Blue', metadata: { stock_M: '15' } });
  assert.deepEqual(await stripe.products.retrieve(made.id), made);
});
check('metadata is merged', async () => {
  const made = await product({ metadata: { a: '1', b: '2' } });
  assert.deepEqual((await stripe.products.update(made.id, { metadata: { b: '3' } })).metadata, { a: '1', b: '3' });
});
for (const nothing of [null, '']) {
  check(`metadata ${JSON.stringify(nothing)} removes a key`, async () => {
    const made = await product({ metadata: { a: '1', b: '2' } });
    assert.deepEqual((await stripe.products.update(made.id, { metadata: { b: nothing } })).metadata, { a: '1' });
  });
  check(`metadata as ${JSON.stringify(nothing)} removes all keys`, async () => {
    const made = await product({ metadata: { a: '1' } });
    assert.deepEqual((await stripe.products.update(made.id, { metadata: nothing })).metadata, {});
  });
  check(`description ${JSON.stringify(nothing)} is unset`, async () => {
    const made = await product({ description: 'Blue' });
    assert.equal((await stripe.products.update(made.id, { description: nothing })).description, null);
  });
}
check('an undefined field is not sent', async () => {
  const made = await product({ description: 'Blue' });
  assert.equal((await stripe.products.update(made.id, { description: undefined })).description, 'Blue');
});
check('an empty list sends nothing', async () => {
  const made = await product({ images: ['https://shop.example/a.png'] });
  assert.equal((await stripe.products.update(made.id, { images: [] })).images.length, 1);
});
check('an empty text empties a list', async () => {
  const made = await product({ images: ['https://shop.example/a.png'] });
  assert.deepEqual((await stripe.products.update(made.id, { images: '' })).images, []);
});
check('text in every alphabet', async () => {
  const name = 'Größe ✓ 日本 👕 & = + % [x]';
  assert.equal((await product({ name })).name, name);
});
check('false is false', async () => assert.equal((await product({ active: false })).active, false));
check('a product with its default price', async () => {
  const made = await product({ default_price_data: { unit_amount: 500, currency: 'eur' }, expand: ['default_price'] });
  assert.equal(made.default_price.unit_amount, 500);
});
check('a product is deleted', async () => {
  const made = await product();
  assert.equal((await stripe.products.del(made.id)).deleted, true);
  await refused(stripe.products.retrieve(made.id), { statusCode: 404, code: 'resource_missing', param: 'id' });
});
check('a product with a price is not deleted', async () => {
  await refused(stripe.products.del((await price()).product), { statusCode: 400 });
});
check('a given id', async () => assert.equal((await product({ id: 'prod_given' })).id, 'prod_given'));
check('a given id is used once', async () => {
  await product({ id: 'prod_twice' });
  await refused(product({ id: 'prod_twice' }), { code: 'resource_already_exists', param: 'id' });
});
check('an id with a space is refused', () => refused(product({ id: 'a b' }), { statusCode: 400, param: 'id' }));
check('an id with a slash is not another address', () => refused(stripe.products.retrieve('a/prices'), { statusCode: 404, param: 'id' }));
check('a price in several currencies', async () => {
  const made = await price({ currency_options: { eur: { unit_amount: 2300 } } });
  const found = await stripe.prices.retrieve(made.id, { expand: ['currency_options'] });
  assert.equal(found.currency_options.eur.unit_amount, 2300);
});
check('a decimal amount', async () => {
  const made = await price({ unit_amount: undefined, unit_amount_decimal: '12.5' });
  assert.equal(String(made.unit_amount_decimal), '12.5');
  assert.equal(made.unit_amount, null);
});
check('prices by lookup key', async () => {
  const made = await price({ lookup_key: 'node' });
  const found = await stripe.prices.list({ lookup_keys: ['node'] });
  assert.deepEqual(found.data.map((one) => one.id), [made.id]);
});
check('a lookup key moves', async () => {
  await price({ lookup_key: 'moves' });
  await refused(price({ lookup_key: 'moves' }), { statusCode: 400 });
  assert.equal((await price({ lookup_key: 'moves', transfer_lookup_key: true })).lookup_key, 'moves');
});

// errors
check('a wrong key', async () => {
  const error = await refused(connect({}, 'sk_test_nobody').products.list(), { statusCode: 401 });
  assert.equal(error.type, 'StripeAuthenticationError');
});
check('an unknown parameter', async () => {
  const error = await refused(product({ colour: 'red' }), { code: 'parameter_unknown', param: 'colour' });
  assert.equal(error.type, 'StripeInvalidRequestError');
});
check('a missing parameter', () => refused(stripe.products.create({}), { code: 'parameter_missing', param: 'name' }));
check('an empty name', () => refused(product({ name: '' }), { code: 'parameter_invalid_empty', param: 'name' }));
check('a wrong amount', () => refused(price({ unit_amount: 'much' }), { code: 'parameter_invalid_integer' }));
check('a wrong currency', () => refused(price({ currency: 'xyz' }), { param: 'currency' }));
check('an unknown product', () =>
  refused(stripe.prices.create({ product: 'prod_no', currency: 'usd', unit_amount: 1 }), {
    statusCode: 400, code: 'resource_missing', param: 'product',
  }));
check('an error has a request id', async () => {
  const error = await refused(stripe.products.retrieve('prod_no'), { statusCode: 404 });
  assert.match(error.requestId, /^req_/);
});
check('an unknown address', async () => {
  await refused(stripe.customers.create({ name: 'Ada' }), { statusCode: 404, type: 'StripeInvalidRequestError' });
});
check('a search is no product', () => refused(stripe.products.search({ query: "active:'true'" }), { statusCode: 404 }));
check('another account', () => refused(stripe.products.list({}, { stripeAccount: 'acct_other' }), { statusCode: 403 }));
check('a declined card', async () => {
  const asked = { amount: 2000, currency: 'usd', confirm: true, payment_method: 'pm_card_chargeDeclined' };
  const error = await refused(stripe.paymentIntents.create(asked), { statusCode: 402, code: 'card_declined' });
  assert.equal(error.type, 'StripeCardError');
  assert.equal(error.decline_code, 'generic_decline');
  assert.equal(error.payment_intent.status, 'requires_payment_method');
});

// lists
const many = [];
check('twenty-five products for the lists', async () => {
  for (let n = 0; n < 25; n += 1) many.push((await product({ name: `Many ${n}`, url: 'https://shop.example/many' })).id);
});
const listed = { url: 'https://shop.example/many' };
check('the newest come first', async () => {
  const found = await stripe.products.list({ ...listed, limit: 3 });
  assert.deepEqual(found.data.map((one) => one.id), many.slice(-3).reverse());
  assert.equal(found.has_more, true);
  assert.equal(found.url, '/v1/products');
});
check('autopaging with for await', async () => {
  const ids = [];
  for await (const one of stripe.products.list({ ...listed, limit: 4 })) ids.push(one.id);
  assert.deepEqual(ids, [...many].reverse());
});
check('autopaging into an array', async () => {
  const found = await stripe.products.list({ ...listed, limit: 7 }).autoPagingToArray({ limit: 20 });
  assert.equal(found.length, 20);
});
check('autopaging stops when it is told to', async () => {
  let seen = 0;
  await stripe.products.list({ ...listed, limit: 2 }).autoPagingEach(() => { seen += 1; return seen < 5; });
  assert.equal(seen, 5);
});
check('autopaging backwards', async () => {
  const ids = [];
  for await (const one of stripe.products.list({ ...listed, limit: 4, ending_before: many[0] })) ids.push(one.id);
  assert.deepEqual([...ids].sort(), many.slice(1).sort());
});
check('a page after a product', async () => {
  const found = await stripe.products.list({ ...listed, limit: 2, starting_after: many[10] });
  assert.deepEqual(found.data.map((one) => one.id), [many[9], many[8]]);
});
check('a page before a product', async () => {
  const found = await stripe.products.list({ ...listed, limit: 2, ending_before: many[10] });
  assert.deepEqual(found.data.map((one) => one.id), [many[12], many[11]]);
});
check('both cursors', () =>
  refused(stripe.products.list({ starting_after: many[0], ending_before: many[1] }), { code: 'parameters_exclusive' }));
check('an unknown cursor', () => refused(stripe.products.list({ starting_after: 'prod_no' }), { param: 'starting_after' }));
for (const limit of [0, 101, -1]) {
  check(`a limit of ${limit}`, () => refused(stripe.products.list({ limit }), { code: 'parameter_invalid_integer', param: 'limit' }));
}
check('products by id', async () => {
  const found = await stripe.products.list({ ids: many.slice(0, 3) });
  assert.deepEqual(found.data.map((one) => one.id).sort(), many.slice(0, 3).sort());
});
check('products by time', async () => {
  const { created } = await stripe.products.retrieve(many[0]);
  assert.ok((await stripe.products.list({ created: { gte: created } })).data.length > 0);
  assert.equal((await stripe.products.list({ created: { lt: created - 1000 } })).data.length, 0);
  assert.equal((await stripe.products.list({ created: created - 1000 })).data.length, 0);
});

// expansion
check('one level', async () => assert.equal((await stripe.prices.retrieve((await price()).id, { expand: ['product'] })).product.name, 'Shirt'));
check('in a list', async () => {
  const found = await stripe.prices.list({ limit: 2, expand: ['data.product'] });
  assert.ok(found.data.every((one) => one.product.object === 'product'));
});
check('four levels', async () => {
  const found = await stripe.checkout.sessions.listLineItems((await session()).id, { expand: ['data.price.product'] });
  assert.equal(found.data[0].price.product.name, 'Shirt');
});
check('while creating', async () => assert.equal((await session({ expand: ['line_items.data.price.product'] })).line_items.data[0].price.product.name, 'Shirt'));
check('five levels', () => refused(stripe.prices.list({ expand: ['data.product.default_price.product.default_price'] }), { param: 'expand' }));
check('what cannot be expanded', async () => refused(stripe.prices.retrieve((await price()).id, { expand: ['currency'] }), { param: 'expand' }));

// sessions, payments, refunds
check('a session is paid', async () => {
  const opened = await session();
  assert.match(opened.url, /^http:/);
  await pay(opened.id);
  const paid = await stripe.checkout.sessions.retrieve(opened.id, { expand: ['payment_intent.latest_charge'] });
  assert.equal(paid.payment_status, 'paid');
  assert.equal(paid.payment_intent.latest_charge.amount, 5000);
});
check('a session is expired once', async () => {
  const opened = await session();
  assert.equal((await stripe.checkout.sessions.expire(opened.id)).status, 'expired');
  await refused(stripe.checkout.sessions.expire(opened.id), { statusCode: 400 });
});
check('payment_method_types of a session are refused', () =>
  refused(session({ payment_method_types: ['card'] }), { code: 'parameter_unknown', param: 'payment_method_types' }));
check('payment_method_types of an intent are refused', () =>
  refused(stripe.paymentIntents.create({ amount: 500, currency: 'usd', payment_method_types: ['card'] }), { param: 'payment_method_types' }));
check('payment_method_types of an older version', async () => {
  const asked = { amount: 500, currency: 'usd', payment_method_types: ['card'] };
  const made = await stripe.paymentIntents.create(asked, { apiVersion: '2026-08-26.dahlia' });
  assert.deepEqual(made.payment_method_types, ['card']);
});
check('a payment is authorized and captured', async () => {
  const asked = { amount: 500, currency: 'usd', confirm: true, capture_method: 'manual', payment_method: 'pm_card_visa' };
  const held = await stripe.paymentIntents.create(asked);
  assert.equal((await stripe.paymentIntents.capture(held.id)).amount_received, 500);
});
check('an intent is canceled', async () => {
  const made = await stripe.paymentIntents.create({ amount: 500, currency: 'usd' });
  assert.equal((await stripe.paymentIntents.cancel(made.id)).status, 'canceled');
});
check('a payment method is used', async () => {
  const method = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' } });
  const asked = { amount: 500, currency: 'usd', confirm: true, payment_method: method.id };
  assert.equal((await stripe.paymentIntents.create(asked)).status, 'succeeded');
});
check('a payment is refunded in parts', async () => {
  const opened = await session();
  await pay(opened.id);
  const { payment_intent: id } = await stripe.checkout.sessions.retrieve(opened.id);
  await stripe.refunds.create({ payment_intent: id, amount: 1000 });
  await refused(stripe.refunds.create({ payment_intent: id, amount: 4001 }), { param: 'amount' });
  assert.equal((await stripe.refunds.create({ payment_intent: id })).amount, 4000);
  await refused(stripe.refunds.create({ payment_intent: id }), { code: 'charge_already_refunded' });
});
check('events by type', async () => {
  const found = await stripe.events.list({ types: ['checkout.session.completed', 'checkout.session.expired'], limit: 100 });
  assert.deepEqual([...new Set(found.data.map((one) => one.type))].sort(), ['checkout.session.completed', 'checkout.session.expired']);
});
check('an event tells the previous values', async () => {
  const made = await product({ metadata: { a: '1' } });
  await stripe.products.update(made.id, { metadata: { a: '2', b: '1' } });
  const [event] = (await stripe.events.list({ type: 'product.updated', limit: 1 })).data;
  assert.deepEqual(event.data.previous_attributes.metadata, { a: '1', b: null });
});
check('a webhook endpoint is created, updated and deleted', async () => {
  const made = await stripe.webhookEndpoints.create({ url: 'https://shop.example/hook', enabled_events: ['*'] });
  assert.match(made.secret, /^whsec_/);
  const changed = await stripe.webhookEndpoints.update(made.id, { disabled: true });
  assert.deepEqual([changed.status, changed.secret], ['disabled', undefined]);
  assert.equal((await stripe.webhookEndpoints.del(made.id)).deleted, true);
});
check('the account', async () => assert.match((await stripe.accounts.retrieveCurrent()).id, /^acct_/));

// idempotency
check('the same key replays', async () => {
  const options = { idempotencyKey: 'node-replay' };
  const first = await stripe.products.create({ name: 'Once' }, options);
  const second = await stripe.products.create({ name: 'Once' }, options);
  assert.equal(second.id, first.id);
  assert.equal(second.lastResponse.headers['idempotent-replayed'], 'true');
});
check('the same key with other parameters', async () => {
  const options = { idempotencyKey: 'node-mismatch' };
  await stripe.products.create({ name: 'Once' }, options);
  await refused(stripe.products.create({ name: 'Other' }, options), { statusCode: 400, type: 'StripeIdempotencyError' });
});
check('a key is kept for an error that ran', async () => {
  const options = { idempotencyKey: 'node-error' };
  const asked = { amount: 2000, currency: 'usd', confirm: true, payment_method: 'pm_card_chargeDeclined' };
  const first = await refused(stripe.paymentIntents.create(asked, options), { statusCode: 402 });
  const second = await refused(stripe.paymentIntents.create(asked, options), { statusCode: 402 });
  assert.equal(second.payment_intent.id, first.payment_intent.id);
});
check('a key is free after a refused parameter', async () => {
  const options = { idempotencyKey: 'node-free' };
  await refused(stripe.products.create({ name: '' }, options), { statusCode: 400 });
  assert.equal((await stripe.products.create({ name: 'Now' }, options)).name, 'Now');
});
check('a key that is too long', () =>
  refused(stripe.products.create({ name: 'A' }, { idempotencyKey: 'k'.repeat(256) }), { statusCode: 400 }));
check('a key in use', async () => {
  // On a busy machine the second request may come when the first is done.
  for (const seconds of [0.3, 3, 10]) {
    await fault('latency', { seconds, when: 'before', path: '/v1/products' });
    const options = { idempotencyKey: `node-busy-${seconds}` };
    const results = await Promise.allSettled([1, 2].map(() => stripe.products.create({ name: 'Busy' }, options)));
    await noFaults();
    const codes = results.filter((one) => one.status === 'rejected').map((one) => one.reason.statusCode);
    if (codes.length === 0) continue;
    assert.deepEqual(codes, [409]);
    return;
  }
  assert.fail('no request met another one');
});

// retries
const patient = connect({ maxNetworkRetries: 2 });
async function effects(name, run) {
  await run().catch(() => null);
  await noFaults();
  const found = await stripe.products.list({ limit: 100 }).autoPagingToArray({ limit: 1000 });
  return found.filter((one) => one.name === name).length;
}
for (const [kind, options, effect, client] of [
  ['cut', { when: 'before' }, 1, patient],
  ['cut', { when: 'after' }, 1, patient],
  // stripe-node repeats a call once after a closed connection, also with 0 retries, under the same idempotency key.
  ['cut', { when: 'before' }, 1, stripe],
  ['cut', { when: 'before', times: 2 }, 0, stripe],
  ['cut', { when: 'after' }, 1, stripe],
  ['cut', { when: 'after', times: 2 }, 1, stripe],
  ['error_500', { when: 'before', stored: false }, 1, patient],
  ['error_500', { when: 'after', stored: true }, 1, patient],
  ['error_500', { when: 'before', stored: true }, 0, patient],
  ['lock_timeout', {}, 1, patient],
  ['lock_timeout', {}, 0, stripe],
  ['error_429', {}, 0, patient],
]) {
  const name = `${kind} ${JSON.stringify(options)} with ${client === patient ? 2 : 0} retries`;
  check(`${name}: ${effect} effect`, async () => {
    await fault(kind, { method: 'POST', path: '/v1/products', times: 1, ...options });
    assert.equal(await effects(name, () => client.products.create({ name })), effect);
  });
}
check('a 429 is an error of its own', async () => {
  await fault('error_429', { times: 1 });
  await refused(stripe.products.list(), { statusCode: 429, type: 'StripeRateLimitError' });
});
check('a cut connection is an error of its own', async () => {
  await fault('cut', { when: 'before', times: 2 });
  await refused(stripe.products.list(), { type: 'StripeConnectionError' });
});
check('a timeout is an error of its own', async () => {
  await fault('latency', { seconds: 0.5, times: 1 });
  await refused(stripe.products.list({}, { timeout: 100 }), { type: 'StripeConnectionError' });
});
check('a 500 is an error of its own', async () => {
  await fault('error_500', { times: 1 });
  await refused(stripe.products.list(), { statusCode: 500, type: 'StripeAPIError' });
});

// answers and clients
check('an answer has its request id and version', async () => {
  const { lastResponse } = await stripe.products.list();
  assert.match(lastResponse.requestId, /^req_/);
  assert.equal(lastResponse.statusCode, 200);
  assert.equal(lastResponse.apiVersion, Stripe.API_VERSION ?? lastResponse.apiVersion);
});
check('another version is echoed', async () => {
  const { lastResponse } = await stripe.products.list({}, { apiVersion: '2026-08-26.dahlia' });
  assert.equal(lastResponse.apiVersion, '2026-08-26.dahlia');
});
check('a wrong version', () => refused(stripe.products.list({}, { apiVersion: 'new' }), { statusCode: 400 }));
check('the fetch client', async () => {
  const fetching = connect({ httpClient: Stripe.createFetchHttpClient() });
  assert.ok((await fetching.products.list({ limit: 1 })).data.length);
});
check('a raw request', async () => {
  const made = await stripe.rawRequest('POST', '/v1/products', { name: 'Raw' });
  assert.equal(made.name, 'Raw');
});

// signatures
const body = JSON.stringify({ id: 'evt_1', object: 'event', type: 'product.created', data: { object: {} } });
check('a signature is accepted', () => {
  const header = stripe.webhooks.generateTestHeaderString({ payload: body, secret: 'whsec_test' });
  assert.equal(stripe.webhooks.constructEvent(body, header, 'whsec_test').id, 'evt_1');
});
check('the secret of another endpoint', () => {
  const header = stripe.webhooks.generateTestHeaderString({ payload: body, secret: 'whsec_test' });
  assert.throws(() => stripe.webhooks.constructEvent(body, header, 'whsec_other'), { type: 'StripeSignatureVerificationError' });
});
check('a changed body', () => {
  const header = stripe.webhooks.generateTestHeaderString({ payload: body, secret: 'whsec_test' });
  assert.throws(() => stripe.webhooks.constructEvent(`${body} `, header, 'whsec_test'), { type: 'StripeSignatureVerificationError' });
});

for (const [name, run] of checks) {
  let problem = null;
  try {
    await run();
  } catch (error) {
    problem = String(error.message ?? error).slice(0, 500);
    await noFaults();
  }
  console.log(JSON.stringify({ name, problem }));
}
process.exit(0); // kept connections would hold the process
