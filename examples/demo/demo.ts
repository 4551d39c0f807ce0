import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WEBHOOK_EVENT_TYPES } from '@pathfinder/webhooks';
import { type DemoDatabase, loadEngine } from './engines/engine.ts';
import { eventOf, FLAKY_ID, RUNS, sampleOf } from './fixtures.ts';
import { Pathfinder, sign } from './pathfinder.ts';
import { ReceiverProcess, type ReceiverStats } from './process.ts';
import { createReport, type Line, type ReportOptions, type Section } from './report.ts';

const BURST = 240;
const LANES = 12;
// How many of the burst are acknowledged when the receiver is killed.
const KILL_AT = 120;
// Handlers that are in the middle of it then.
const LEAST_RUNNING = 5;
const PATIENCE_MS = 6000;

export interface DemoOptions extends ReportOptions {
  readonly print: (text: string) => void;
  /** The module of the receiver. Default: the one beside this file. */
  readonly receiver?: URL;
  /** Where the receiver keeps its queue: `sqlite` by default, `bullmq` or `pg-boss`. */
  readonly engine?: string;
}

/**
 * Sends a receiver what it will meet in production, over real HTTP, kills it in the middle, starts it again, and prints what
 * happens as it happens: true if all went as it should.
 */
export async function runDemo({
  print,
  colours,
  receiver: module = RECEIVER,
  engine = 'sqlite',
}: DemoOptions): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-demo-'));
  const report = createReport(print, colours === undefined ? {} : { colours });
  const { prepare, where, reopened } = await loadEngine(engine);
  const database = await prepare(folder);
  let receiver = await ReceiverProcess.start(module, folder, engine);
  try {
    const pathfinder = new Pathfinder(() => receiver.url);
    report.say(`Express receives at ${receiver.url}, process ${receiver.pid}, with its queue ${where}.`);
    report.show(await queued(pathfinder));
    report.show(await known(pathfinder));
    report.show(await refused(pathfinder, receiver.parsedUrl));
    report.say(`\n${BURST} events, ${LANES} at a time, and in the middle of it the receiver is killed …`);
    const delivering = burst(pathfinder);
    const before = await killWhenBusy(pathfinder, receiver, database, folder);
    report.say(`SIGKILL: of ${before.acknowledged} acknowledged events ${before.completed} are completed.`);
    receiver = await ReceiverProcess.start(module, folder, engine);
    report.say(`Process ${receiver.pid} ${reopened} and goes on; Pathfinder delivers again what had no reply.`);
    await delivering;
    const stats = await untilIdle(receiver);
    report.show(killed(before, pathfinder));
    report.show(await inAll(pathfinder, database, folder, stats));
    return report.end(stats.counts);
  } finally {
    await receiver.kill().catch(() => undefined);
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const RECEIVER = new URL('./receiver.ts', import.meta.url);

async function queued(pathfinder: Pathfinder): Promise<Section> {
  const lines: Line[] = [];
  for (const type of WEBHOOK_EVENT_TYPES) {
    lines.push(await pathfinder.deliver(type, '202 queued', sampleOf(type)));
  }
  return { title: 'Acknowledged once they are kept: one event of each type', lines };
}

async function known(pathfinder: Pathfinder): Promise<Section> {
  const first = sampleOf('user.created');
  const flaky = sampleOf('resume.generated', FLAKY_ID);
  const newer = eventOf('user.teleported', { data: { user_id: 'user_123' } });
  const lines = [
    await pathfinder.deliver('the first event once more', '200 duplicate', first),
    await pathfinder.deliver('its id with other bytes', '409 id_conflict', { ...first, created: 1 }),
    await pathfinder.deliver('one whose handler fails once', '202 queued', flaky),
    await pathfinder.deliver('a type newer than this package', '202 queued', newer),
  ];
  return { title: 'Deduplicated, and ready for what is new', lines };
}

async function refused(pathfinder: Pathfinder, parsedUrl: string): Promise<Section> {
  const roles = { user_id: 'user_666', old_roles: ['user'], new_roles: ['admin'] };
  const sample = eventOf('admin.role_changed', { data: roles }, 'evt_refused');
  const body = JSON.stringify(sample);
  const tampered = { body: body.replace('user_666', 'user_667'), signature: sign(body) };
  const expected = '401 invalid_signature';
  const lines = [
    await pathfinder.deliver('a forgery, signed with another secret', expected, sample, {
      signature: sign(body, 'a guess'),
    }),
    await pathfinder.deliver('a body changed on its way', expected, sample, tampered),
    await pathfinder.deliver('no signature at all', expected, sample, { signature: '' }),
    await pathfinder.deliver('a body that express.json() has parsed', '500 body_already_parsed', sample, {
      url: parsedUrl,
    }),
  ];
  return { title: 'Refused, with nothing kept', lines };
}

async function burst(pathfinder: Pathfinder): Promise<void> {
  const samples = Array.from({ length: BURST }, (_, i) => sampleOf('user.updated', `evt_burst_${i}`));
  const lane = async () => {
    for (let sample = samples.pop(); sample; sample = samples.pop()) {
      await pathfinder.deliverUntilAcknowledged(sample);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

interface Killed {
  readonly signal: string;
  readonly acknowledged: number;
  readonly completed: number;
}

async function killWhenBusy(
  pathfinder: Pathfinder,
  receiver: ReceiverProcess,
  database: DemoDatabase,
  folder: string,
): Promise<Killed> {
  const startedWith = pathfinder.acknowledged.size;
  const untilMs = performance.now() + PATIENCE_MS;
  const isBusy = async () => runsIn(folder).length - (await database.mails()).size >= LEAST_RUNNING;
  const isTime = async () => pathfinder.acknowledged.size >= startedWith + KILL_AT && (await isBusy());
  while (!(await isTime()) && performance.now() < untilMs) await delay(1);
  const signal = await receiver.kill();
  return { signal, acknowledged: pathfinder.acknowledged.size, completed: (await database.mails()).size };
}

/** Waits until the receiver has nothing left to do, or for so long that something must be wrong. */
async function untilIdle(receiver: ReceiverProcess): Promise<ReceiverStats> {
  const untilMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const stats = await receiver.stats();
    const { ready, active, delayed } = stats.left;
    if (ready + active + delayed === 0 || performance.now() > untilMs) return stats;
    await delay(20);
  }
}

function killed({ signal, acknowledged, completed }: Killed, { unanswered }: Pathfinder): Section {
  const waiting = acknowledged - completed;
  const lines = [
    { what: 'how the first process ended', expected: 'SIGKILL', got: signal },
    { what: 'acknowledged and not completed at that time', expected: 'some', got: `${waiting}`, good: waiting > 0 },
    { what: 'deliveries without a reply, made again', expected: 'some', got: `${unanswered}`, good: unanswered > 0 },
  ];
  return { title: 'Killed in the middle', lines };
}

// Looked at from the other end: what the database of the receiver says.
async function inAll(
  { acknowledged }: Pathfinder,
  database: DemoDatabase,
  folder: string,
  { left }: ReceiverStats,
): Promise<Section> {
  const mails = await database.mails();
  const events = String(WEBHOOK_EVENT_TYPES.length + 2 + BURST);
  const runs = runsIn(folder);
  const again = runs.length - new Set(runs).size;
  const lines = [
    { what: 'events acknowledged', expected: events, got: `${acknowledged.size}` },
    { what: 'events completed, each with its mail', expected: events, got: `${mails.size}` },
    { what: 'acknowledged and lost', expected: '0', got: `${countOf(acknowledged, (id) => !mails.has(id))}` },
    { what: 'mails written twice', expected: '0', got: `${countOf(mails.values(), (written) => written > 1)}` },
    {
      what: 'mails of what was never acknowledged',
      expected: '0',
      got: `${countOf(mails.keys(), (id) => !acknowledged.has(id))}`,
    },
    {
      what: 'left in the queue, dead letters',
      expected: '0, 0',
      got: `${left.ready + left.active + left.delayed}, ${await database.deadLetters()}`,
    },
    { what: 'runs cut off and made again', expected: 'some', got: `${again}`, good: again > 1 },
  ];
  return { title: 'In all, as the database says', lines };
}

/** The ids of the events that a handler ran for, one for each run. */
function runsIn(folder: string): readonly string[] {
  const file = join(folder, RUNS);
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
}

function countOf<T>(all: Iterable<T>, isCounted: (one: T) => boolean): number {
  return [...all].filter(isCounted).length;
}
