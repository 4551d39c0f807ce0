import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { bodyOf, SECRET, sign } from '../support/deliver.ts';
import { type ExampleProcess, send, start } from '../support/example-process.ts';
import { testPostgres } from '../support/services/postgres.ts';
import { testRedis } from '../support/services/redis.ts';
import { describeWith } from '../support/services/services.ts';

const ACCEPTED = '{"success":true,"status":"queued","processed":0,"failed":0}';
const DUPLICATE = '{"success":true,"status":"duplicate","processed":0,"failed":0}';
const REFUSED = '{"success":false,"error":"invalid_signature"}';

function startExample(name: string, environment: NodeJS.ProcessEnv): ExampleProcess {
  return start(`examples/${name}.ts`, { PORT: '0', PATHFINDER_WEBHOOK_SECRET: SECRET, ...environment });
}

const urlOf = ({ lines }: ExampleProcess) => lines.find(/^listening on (.*)$/);
const welcomes = ({ lines }: ExampleProcess) => lines.all.filter((line) => line.startsWith('welcome'));

async function end({ child }: ExampleProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<readonly unknown[]> {
  const closed = once(child, 'close');
  child.kill(signal);
  return closed;
}

describeWith('redis', 'examples/bullmq.ts and examples/scaled-worker.ts', (url) => {
  const { keyPrefix } = testRedis(url);
  const environment = { REDIS_URL: url, REDIS_PREFIX: keyPrefix };

  it('run each event on one of several machines, and forged events on none', {
    timeout: 60_000,
  }, async () => {
    const receivers = [startExample('bullmq', environment), startExample('bullmq', environment)];
    const workers = [startExample('scaled-worker', environment), startExample('scaled-worker', environment)];
    const [first = '', second = ''] = await Promise.all(receivers.map(urlOf));
    for (const { lines } of workers) await lines.find(/^(working)$/);
    expect(await send(first, bodyOf({ id: 'evt_forged' }), sign(bodyOf(), 'a guess'))).toEqual([401, REFUSED]);
    const bodies = Array.from({ length: 40 }, (_, i) => bodyOf({ id: `evt_${i}` }));
    const replies = await Promise.all(bodies.map((body, i) => send(i % 2 ? first : second, body)));
    expect(replies).toEqual(bodies.map(() => [202, ACCEPTED]));
    const again = await Promise.all(bodies.map((body, i) => send(i % 2 ? second : first, body)));
    expect(again).toEqual(bodies.map(() => [200, DUPLICATE]));
    const all = [...receivers, ...workers];
    const count = () => all.reduce((sum, one) => sum + welcomes(one).length, 0);
    while (count() < bodies.length) await delay(20);
    for (const one of all) expect(await end(one, 'SIGTERM')).toEqual([0, null]);
    expect(count()).toBe(bodies.length);
  });
});

describeWith('postgres', 'examples/pg-boss.ts', (url) => {
  const { pool, schema } = testPostgres(url);
  const here = new URL(url);
  here.searchParams.set('options', `-c search_path=${schema}`);
  const environment = { DATABASE_URL: here.href, PGBOSS_SCHEMA: `${schema}_boss` };

  it('counts each user once across repeated kills and redeliveries', {
    timeout: 90_000,
  }, async () => {
    const admin = pool({ max: 2 });
    await admin.query('CREATE TABLE plan (name text PRIMARY KEY, users int NOT NULL)');
    const bodies = Array.from({ length: 60 }, (_, i) => bodyOf({ id: `evt_${i}` }));
    let answers: readonly unknown[] = [];
    for (const life of [1, 2, 3]) {
      const receiver = startExample('pg-boss', environment);
      const at = await urlOf(receiver);
      expect(await send(at, bodyOf({ id: 'evt_forged' }), sign(bodyOf(), 'a guess'))).toEqual([401, REFUSED]);
      const sent = bodies.map((body) =>
        send(at, body).then(
          ([status]) => status,
          () => 'no answer',
        ),
      );
      await Promise.all(sent.slice(0, 20 * life));
      if (life < 3) await end(receiver, 'SIGKILL');
      answers = await Promise.all(sent);
    }
    expect(answers.filter((status) => status !== 202 && status !== 200)).toEqual([]);
    // Runs that a kill cut off come back when their lease is over; here nobody waits for that.
    await admin.query('UPDATE pathfinder_webhook_event SET until_at = now(), due_at = now() WHERE due_at IS NOT NULL');
    const unfinished = async () =>
      (await admin.query('SELECT 1 FROM pathfinder_webhook_event WHERE state <> 2')).rowCount;
    while (((await unfinished()) ?? 0) > 0) await delay(50);
    expect((await admin.query('SELECT name, users FROM plan')).rows).toEqual([{ name: 'free', users: bodies.length }]);
    await admin.query(`DROP SCHEMA ${schema}_boss CASCADE`);
  });
});
