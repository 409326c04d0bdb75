#!/usr/bin/env bash
# `runMigrations` of Supabase's Stripe sync engine, imported as its README shows, creates no table and raises nothing: its
# build for `import` uses __dirname, which exists only under `require`, and the error goes to an optional logger. One
# would have guessed tables, or a rejected promise. Under `require` it sends its migrations. Shown on a stub that speaks
# just enough of PostgreSQL's protocol to count queries. Exits 1 if that changes. Needs bash, npm and node 20.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --ignore-scripts --no-audit --no-fund --prefix "$work" \
    @supabase/stripe-sync-engine@0.48.5 stripe@23.1.0 >/dev/null

cat > "$work/check.mjs" <<'JS'
import { createRequire } from 'node:module';
import { createServer } from 'node:net';

let queries = [];
const message = (type, body) => {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const READY = message('Z', Buffer.from('I'));
createServer((socket) => {
  let started = false;
  socket.on('error', () => {}).on('data', (data) => {
    if (!started) {
      started = true;
      socket.write(Buffer.concat([message('R', Buffer.alloc(4)), READY]));
    } else if (data.subarray(0, 1).toString() === 'X') {
      socket.end();
    } else {
      // A simple query, or the first of the messages of a prepared one.
      queries.push(data.toString('utf8', 5).replace(/\0[^]*/, '').trim());
      const error = message('E', Buffer.from('SERROR\0C0A000\0Monly a stub\0\0'));
      const done = message('C', Buffer.from('CREATE SCHEMA\0'));
      socket.write(Buffer.concat([queries.length === 1 ? done : error, READY]));
    }
  });
}).listen(0, '127.0.0.1', async function () {
  const databaseUrl = `postgres://user:secret@127.0.0.1:${this.address().port}/shop`;
  const name = '@supabase/stripe-sync-engine';
  const builds = { import: await import(name), require: createRequire(import.meta.url)(name) };
  const seen = {};
  for (const [how, { runMigrations }] of Object.entries(builds)) {
    queries = [];
    const errors = [];
    const logger = { info() {}, warn() {}, error: (error) => errors.push(error.message) };
    const end = await runMigrations({ databaseUrl, schema: 'stripe' }).then(() => 'resolved', () => 'rejected');
    seen[how] = queries.length;
    console.log(`${how}, no logger: ${end} after ${queries.length} queries, the first: ${queries[0]}`);
    queries = [];
    await runMigrations({ databaseUrl, schema: 'stripe', logger });
    console.log(`  with a logger, it tells: ${errors[0]}`);
    seen[`${how} error`] = errors[0];
  }
  process.exit(seen.import === 1 && seen.require > 1 && /__dirname/.test(seen['import error']) ? 0 : 1);
});
JS
cd "$work" && node check.mjs
