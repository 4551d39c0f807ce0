// A receiver written by hand, without this package, right but for one flaw: the one that it is started with, or `none`.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [flaw, port, folder] = process.argv.slice(2);
const secret = process.env.FLAWED_SECRET;
const MAX_BYTES = 1_048_576;

const linesOf = (name) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').split('\n') : []);
const append = (name, line) => appendFileSync(join(folder, name), `${line}\n`);
const later = (ms, work) => setTimeout(work, ms);

const seen = new Set(linesOf('ids'));
const users = new Set(linesOf('users'));

function remember(id) {
  seen.add(id);
  append('ids', id);
}

function act({ id, type, data }) {
  append('effects', `${id} ${type}`);
  const user = data?.user?.id ?? data?.user_id;
  if (user && !users.has(user)) {
    users.add(user);
    append('users', user);
  }
}

async function handle(event) {
  const { id, type, data } = event;
  const user = data?.user?.id ?? data?.user_id;
  if (flaw === 'assumes-order' && /^user\.(updated|deleted)$/.test(type) && !users.has(user)) {
    throw new Error('there is no such user');
  }
  if (flaw === 'keeps-no-record') act(event);
  else if (flaw === 'acts-before-it-dedupes') {
    act(event);
    if (seen.has(id)) return { duplicate: true };
    remember(id);
  } else if (flaw === 'checks-then-inserts') {
    const known = linesOf('ids').includes(id);
    await new Promise((resolve) => later(15, resolve));
    if (known) return { duplicate: true };
    act(event);
    remember(id);
  } else if (seen.has(id)) return { duplicate: true };
  else if (flaw === 'acknowledges-before-it-stores') {
    seen.add(id);
    later(500, () => {
      act(event);
      append('ids', id);
    });
  } else if (flaw === 'dies-after-the-effect') {
    act(event);
    seen.add(id);
    // A process that dies before this has made the effect and remembers nothing.
    later(2000, () => append('ids', id));
  } else {
    act(event);
    remember(id);
  }
  return { ok: true };
}

function isSigned(header, body) {
  const expected = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  if (flaw === 'logs-the-secret') append('log', `verifying with ${secret}`);
  if (typeof header !== 'string') return false;
  const [given, right] = [Buffer.from(header), Buffer.from(expected)];
  if (flaw !== 'throws-on-a-short-header' && given.length !== right.length) return false;
  return timingSafeEqual(given, right);
}

function parse(body) {
  try {
    const event = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    return typeof event?.id === 'string' && typeof event.type === 'string' ? event : undefined;
  } catch {
    return undefined;
  }
}

async function receive(request, reply) {
  if (request.method !== 'POST') return reply(405, { error: 'method' });
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) return reply(413, { error: 'size' });
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (flaw === 'parses-before-it-verifies' && !parse(body)) return reply(400, { error: 'event' });
  if (!isSigned(request.headers['x-pathfinder-signature'], body)) {
    append('log', 'a signature did not match');
    return reply(401, { error: 'signature' });
  }
  const event = parse(body);
  if (!event) return reply(400, { error: 'event' });
  return reply(200, await handle(event));
}

createServer((request, response) => {
  const reply = (status, body) => response.writeHead(status, { connection: 'close' }).end(JSON.stringify(body));
  receive(request, reply).catch((error) => {
    append('log', error.message);
    reply(500, { error: 'fault' });
  });
}).listen(Number(port), '127.0.0.1');
