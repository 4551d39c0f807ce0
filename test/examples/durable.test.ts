import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { bodyOf, SECRET, sign } from '../support/deliver.ts';
import { type ExampleProcess, send, start } from '../support/example-process.ts';
import { databaseFolder, openDatabase } from '../support/sqlite.ts';

const ACCEPTED = '{"success":true,"status":"queued","processed":0,"failed":0}';
const DUPLICATE = '{"success":true,"status":"duplicate","processed":0,"failed":0}';
const REFUSED = '{"success":false,"error":"invalid_signature"}';
const folder = databaseFolder();

interface Receiver extends ExampleProcess {
  readonly url: string;
}

function startOn(file: string, name: string): ExampleProcess {
  const environment = { PORT: '0', PATHFINDER_WEBHOOK_SECRET: SECRET, WEBHOOKS_FILE: folder.file(file) };
  return start(`examples/${name}.ts`, environment);
}

async function receiveOn(file: string, name: string): Promise<Receiver> {
  const example = startOn(file, name);
  return { ...example, url: await example.lines.find(/^listening on (.*)$/) };
}

async function end({ child }: ExampleProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<readonly unknown[]> {
  const closed = once(child, 'close');
  child.kill(signal);
  return closed;
}

const welcomes = ({ lines }: ExampleProcess) => lines.all.filter((line) => line.startsWith('welcome'));
const byAStranger = () => sign(bodyOf(), 'a guess');

describe('examples/single-machine.ts', () => {
  it('acknowledges, runs its handler once, rejects a forgery and exits on SIGTERM', async () => {
    const receiver = await receiveOn('single.db', 'single-machine');
    expect(await send(receiver.url, bodyOf(), byAStranger())).toEqual([401, REFUSED]);
    expect(await send(receiver.url)).toEqual([202, ACCEPTED]);
    expect(await receiver.lines.find(/^(welcome, .*)$/)).toBe('welcome, ada');
    expect(await send(receiver.url)).toEqual([200, DUPLICATE]);
    expect(await end(receiver, 'SIGTERM')).toEqual([0, null]);
    expect(welcomes(receiver)).toEqual(['welcome, ada']);
  });

  it('recognizes completed events after SIGKILL', async () => {
    const first = await receiveOn('killed.db', 'single-machine');
    await send(first.url);
    await first.lines.find(/^(welcome, .*)$/);
    expect(await end(first, 'SIGTERM')).toEqual([0, null]);
    const next = await receiveOn('killed.db', 'single-machine');
    await end(next, 'SIGKILL');
    const last = await receiveOn('killed.db', 'single-machine');
    expect(await send(last.url)).toEqual([200, DUPLICATE]);
    expect(await send(last.url, bodyOf({ id: 'evt_2' }))).toEqual([202, ACCEPTED]);
    await last.lines.find(/^(welcome, .*)$/);
    expect([welcomes(next), welcomes(last)]).toEqual([[], ['welcome, ada']]);
  });
});

describe('examples/split-receiver.ts and examples/split-worker.ts', () => {
  it('a second process runs the received events, also when it starts later', async () => {
    const receiver = await receiveOn('split.db', 'split-receiver');
    expect(await send(receiver.url, bodyOf({ id: 'evt_forged' }), byAStranger())).toEqual([401, REFUSED]);
    expect(await send(receiver.url)).toEqual([202, ACCEPTED]);
    const worker = startOn('split.db', 'split-worker');
    expect(await worker.lines.find(/^(welcome, .*)$/)).toBe('welcome, ada');
    expect(await send(receiver.url, bodyOf({ id: 'evt_2' }))).toEqual([202, ACCEPTED]);
    while (welcomes(worker).length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    expect([await end(worker, 'SIGTERM'), await end(receiver, 'SIGTERM')]).toEqual([
      [0, null],
      [0, null],
    ]);
    expect([welcomes(worker), welcomes(receiver)]).toEqual([['welcome, ada', 'welcome, ada'], []]);
  });
});

describe('examples/transaction.ts', () => {
  it('counts each user once across repeated kills and redeliveries', {
    timeout: 60_000,
  }, async () => {
    const bodies = Array.from({ length: 100 }, (_, i) => bodyOf({ id: `evt_${i}` }));
    const refused: unknown[] = [];
    let answers: readonly unknown[] = [];
    for (const life of [1, 2, 3, 4]) {
      const receiver = await receiveOn('transaction.db', 'transaction');
      refused.push(await send(receiver.url, bodyOf({ id: 'evt_forged' }), byAStranger()));
      const sent = bodies.map((body) =>
        send(receiver.url, body).then(
          ([status]) => status,
          () => 'no answer',
        ),
      );
      await Promise.all(sent.slice(0, 10 * life));
      if (life < 4) await end(receiver, 'SIGKILL');
      answers = await Promise.all(sent);
    }
    expect(answers.filter((status) => status !== 202 && status !== 200)).toEqual([]);
    expect(refused).toEqual(Array(4).fill([401, REFUSED]));
    const db = openDatabase(folder.file('transaction.db'));
    db.exec('PRAGMA busy_timeout = 5000');
    // Runs that a kill cut off come back when their lease is over; here nobody waits for that.
    db.exec('UPDATE pathfinder_webhook_event SET until_ms = 0, due_ms = 0 WHERE due_ms IS NOT NULL');
    const unfinished = db.prepare('SELECT count(*) AS n FROM pathfinder_webhook_event WHERE state <> 2');
    while ((unfinished.get() as { n: number }).n > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(db.prepare('SELECT name, users FROM plan').all()).toEqual([{ name: 'free', users: bodies.length }]);
    db.close();
  });
});
