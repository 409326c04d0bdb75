// stripe-node's verdict on signature headers. Usage: node node_signatures.mjs FOLDER_WITH_NODE_MODULES < TABLE
// The table is JSON: {"body": ..., "secret": ..., "headers": {name: header}}. Prints JSON: name -> accepted or not.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const Stripe = createRequire(`${process.argv[2]}/`)('stripe');
const { body, secret, headers } = JSON.parse(readFileSync(0, 'utf8'));
const stripe = new Stripe('sk_test_fake');

function accepted(header) {
  try {
    return Boolean(stripe.webhooks.constructEvent(body, header, secret));
  } catch {
    return false; // an empty v1 is an Error without a type
  }
}

console.log(JSON.stringify(Object.fromEntries(Object.entries(headers).map(([name, header]) => [name, accepted(header)]))));
