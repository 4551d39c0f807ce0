import { createHmac } from 'node:crypto';
import { WEBHOOK_EVENT_TYPES } from '@pathfinder/webhooks';
import { eventOf, type Sample, sampleOf } from './fixtures.ts';
import { FLAKY_ID, type Receiver, SECRET } from './receiver.ts';
import { formatReport, isAsExpected, type Line, type ReportOptions, type Section } from './report.ts';

export interface DemoOptions extends ReportOptions {
  readonly print: (text: string) => void;
}

/** Sends a receiver what it will meet in production, over real HTTP, and prints a report: true if all went as it should. */
export async function runDemo(receiver: Receiver, { print, colours }: DemoOptions): Promise<boolean> {
  const { webhooks, url } = receiver;
  print(`Express receives at ${url}\n`);
  const sections = [await verified(receiver), await remembered(receiver), await refused(receiver), inAll(receiver)];
  print(formatReport(sections, webhooks.metrics.getStats(), colours === undefined ? {} : { colours }));
  return sections.every(({ lines }) => lines.every(isAsExpected));
}

async function verified(receiver: Receiver): Promise<Section> {
  const lines: Line[] = [];
  for (const type of WEBHOOK_EVENT_TYPES) {
    lines.push(await deliver(receiver, type, '200 processed, 1 run', sampleOf(type)));
  }
  return { title: 'Verified and run: one event of each type', lines };
}

async function remembered(receiver: Receiver): Promise<Section> {
  const first = sampleOf('user.created');
  const flaky = sampleOf('resume.generated', FLAKY_ID);
  const newer = eventOf('user.teleported', { data: { user_id: 'user_123' } });
  const lines = [
    await deliver(receiver, 'the first event once more', '200 duplicate, not run', first),
    await deliver(receiver, 'its id with other bytes', '409 id_conflict, not run', { ...first, created: 1 }),
    await deliver(receiver, 'one whose handler fails once', '200 processed, 2 runs', flaky),
    await deliver(receiver, 'the same once more', '200 duplicate, not run', flaky),
    await deliver(receiver, 'a type newer than this package', '200 processed, 1 run', newer),
  ];
  return { title: 'Deduplicated, retried, and ready for what is new', lines };
}

async function refused(receiver: Receiver): Promise<Section> {
  const roles = { user_id: 'user_666', old_roles: ['user'], new_roles: ['admin'] };
  const sample = eventOf('admin.role_changed', { data: roles }, 'evt_refused');
  const body = JSON.stringify(sample);
  const tampered = body.replace('user_666', 'user_667');
  const expected = '401 invalid_signature, not run';
  const parsed = '500 body_already_parsed, not run';
  const lines = [
    await deliver(receiver, 'a forgery, signed with another secret', expected, sample, {
      signature: sign(body, 'a guess'),
    }),
    await deliver(receiver, 'a body changed on its way', expected, sample, { body: tampered, signature: sign(body) }),
    await deliver(receiver, 'no signature at all', expected, sample, { signature: '' }),
    await deliver(receiver, 'a body that express.json() has parsed', parsed, sample, { url: receiver.parsedUrl }),
  ];
  return { title: 'Refused, with nothing run', lines };
}

// Looked at from the other end: what the handlers saw, and what was counted.
function inAll({ webhooks, runs }: Receiver): Section {
  const { received, duplicates, successRate, rejected } = webhooks.metrics.getStats();
  const refusals = Object.values(rejected).reduce((sum, count) => sum + count, 0);
  const lines = [
    { what: 'runs of handlers', expected: '22', got: String(runs.length) },
    { what: 'events that they were for', expected: '21', got: String(new Set(runs).size) },
    { what: 'events counted', expected: '21, 100.00% with success', got: `${received}, ${successRate} with success` },
    { what: 'duplicates and refusals', expected: '2 and 5', got: `${duplicates} and ${refusals}` },
  ];
  return { title: 'In all', lines };
}

interface Changed {
  readonly body?: string;
  readonly signature?: string;
  readonly url?: string;
}

async function deliver(
  receiver: Receiver,
  what: string,
  expected: string,
  sample: Sample,
  { body = JSON.stringify(sample), signature = sign(body), url = receiver.url }: Changed = {},
): Promise<Line> {
  const runsBefore = receiver.runs.length;
  const startedAtMs = performance.now();
  const headers = { 'content-type': 'application/json', 'x-pathfinder-signature': signature };
  const response = await fetch(url, { method: 'POST', headers, body });
  const reply = statusOf(await response.text());
  const ms = performance.now() - startedAtMs;
  const runs = receiver.runs.length - runsBefore;
  const ran = runs === 0 ? 'not run' : runs === 1 ? '1 run' : `${runs} runs`;
  return { what, expected, got: `${response.status} ${reply}, ${ran}`, ms };
}

function statusOf(body: string): string {
  try {
    const { status, error } = JSON.parse(body);
    return status ?? error;
  } catch {
    return 'without JSON';
  }
}

// As Pathfinder signs, with nothing of this package.
function sign(body: string, secret = SECRET): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}
