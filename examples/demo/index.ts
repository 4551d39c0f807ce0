import { createHmac } from 'node:crypto';
import { samples } from './fixtures.ts';
import { SECRET, startReceiver } from './receiver.ts';
import { type Line, printLines, printTitle } from './report.ts';

const ROUTE = '/webhooks/pathfinder';
const { server, url, webhooks, ran } = await startReceiver();
let sent = 0;

function bodyOf(type: string, data: object): string {
  return JSON.stringify({ id: `evt_demo_${++sent}`, type, api_version: '1.0', created: 1_709_280_000, data });
}

function sign(body: string, secret = SECRET): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

async function deliver(
  what: string,
  expected: string,
  body: string,
  signature = sign(body),
  route = ROUTE,
): Promise<Line> {
  const began = performance.now();
  const headers = { 'content-type': 'application/json', 'x-pathfinder-signature': signature };
  const response = await fetch(url + route, { method: 'POST', headers, body });
  const reply = (await response.json()) as { readonly status?: string; readonly error?: string };
  return { what, expected, got: `${response.status} ${reply.status ?? reply.error}`, ms: performance.now() - began };
}

console.log(`Receiver: Express at ${url}${ROUTE}, secret ${SECRET.slice(0, 6)}…`);

const verified: Line[] = [];
for (const [type, data] of samples) verified.push(await deliver(type, '200 processed', bodyOf(type, data)));
printTitle('Verified and run, all nineteen types (resume.generated fails once and runs again)');
let good = printLines(verified);

const known = bodyOf('user.created', { user: { id: 'user_9', username: 'eve', email: 'eve@example.com' } });
const others = [
  await deliver('the first delivery of an event', '200 processed', known),
  await deliver('the same once more', '200 duplicate', known),
  await deliver('its id with other bytes', '409 id_conflict', known.replace('eve@', 'mallory@')),
  await deliver('a type newer than this package', '200 processed', bodyOf('user.teleported', { user_id: 'user_9' })),
];
printTitle('Deduplicated, and ready for what is new');
good = printLines(others) && good;

const forged = bodyOf('admin.role_changed', { user_id: 'eve', old_roles: [], new_roles: ['admin'] });
const refused = [
  await deliver('a forgery, signed with another secret', '401 invalid_signature', forged, sign(forged, 'a guess')),
  await deliver('a body changed on its way', '401 invalid_signature', forged.replace('eve', 'ada'), sign(forged)),
  await deliver('no signature', '401 invalid_signature', forged, ''),
  await deliver('a route behind express.json()', '500 body_already_parsed', forged, sign(forged), '/behind-a-parser'),
];
printTitle('Refused, with nothing run');
good = printLines(refused) && good;

const expectedRuns = [
  ...samples.map(([type]) => type),
  'resume.generated again',
  'user.created',
  'user.teleported',
].sort();
const stats = webhooks.metrics.getStats();
const counts = [
  { what: 'handlers ran', expected: expectedRuns.join(), got: [...ran].sort().join(), ms: 0 },
  { what: 'duplicates', expected: '1', got: String(stats.duplicates), ms: 0 },
  { what: 'success rate', expected: '100.00%', got: stats.successRate, ms: 0 },
];
printTitle('In all');
good =
  printLines(counts.map((line) => ({ ...line, got: shorten(line.got), expected: shorten(line.expected) }))) && good;
good = counts.every(({ expected, got }) => expected === got) && good;

printTitle('metrics.getStats()');
const { latency, byType, ...numbers } = stats;
console.log(`  ${JSON.stringify({ ...numbers, types: Object.keys(byType).length, latencies: latency.length })}`);
console.log(good ? '\nEvery line is as expected.' : '\nSome lines are not as expected: see ✗ above.');

server.close();
server.closeAllConnections();
process.exitCode = good ? 0 : 1;

function shorten(text: string): string {
  return text.length > 40
    ? `${text.split(',').length} runs, ${createHmac('sha256', '').update(text).digest('hex').slice(0, 8)}`
    : text;
}
