// Supabase's sync engine as a program. Usage: node supabase.cjs FOLDER_WITH_NODE_MODULES OBJECT... < WEBHOOKS
// Copies each kind of object from Stripe, then processes the webhooks: lines of JSON with a body and its signature.
// Prints one line of JSON for each: its name, and what went wrong or null.
const { createRequire } = require('node:module');
const { createInterface } = require('node:readline');

const [folder, ...objects] = process.argv.slice(2);
// Its build for `import` cannot run the migrations: it uses __dirname.
const { StripeSync, runMigrations } = createRequire(`${folder}/`)('@supabase/stripe-sync-engine');

async function report(name, act) {
  const problem = await act().then(() => null, (error) => String(error.message ?? error));
  console.log(JSON.stringify({ name, problem }));
}

async function main() {
  const { DATABASE_URL: databaseUrl, STRIPE_API_KEY: stripeSecretKey, SIGNING_SECRET: stripeWebhookSecret } = process.env;
  // It only logs what goes wrong.
  const logger = { info() {}, warn() {}, error(error) { throw error; } };
  await runMigrations({ databaseUrl, schema: 'stripe', logger });
  const sync = new StripeSync({ poolConfig: { connectionString: databaseUrl }, stripeSecretKey, stripeWebhookSecret });
  for (const object of objects) await report(object, () => sync.syncBackfill({ object }));
  for await (const line of createInterface({ input: process.stdin })) {
    const { body, signature } = JSON.parse(line);
    await report(JSON.parse(body).type, () => sync.processWebhook(body, signature));
  }
  await sync.close();
}

main();
