import { WebhookHandler, type WebhookHandlerOptions, type WebhookQueue } from '@pathfinder/webhooks';
import { type SqliteDatabase, type SqliteQueueOptions, sqliteQueue, sqliteStore } from '@pathfinder/webhooks/sqlite';
import { describe, expect, it } from 'vitest';
import { answered, bodyOf, deliveryOf, RETRY, recordingLogger, refused, SECRET } from '../support/deliver.ts';
import { databaseFolder, movedClock, openDatabase } from '../support/sqlite.ts';

const folder = databaseFolder();
let files = 0;
const QUEUED = answered('queued', 0, 0, 202);
const FULL = refused(503, 'queue_unavailable', RETRY);
const FOREVER = { maxMs: 60_000 };

/** A queue on a file of its own, and what its tables hold. */
function opened(options: SqliteQueueOptions = {}) {
  const db = openDatabase(folder.file(`${files++}.db`));
  const clock = movedClock();
  const queue = sqliteQueue(db, { now: clock.now, logger: recordingLogger(), ...options });
  const all = (sql: string) => (db.prepare(sql).all() as object[]).map((row) => Object.values(row)[0]);
  return {
    db,
    queue,
    wait: clock.advance,
    now: clock.now,
    events: () => all('SELECT key FROM pathfinder_webhook_event ORDER BY id'),
    bodies: () => all('SELECT event_id FROM pathfinder_webhook_body ORDER BY id'),
  };
}

function receiverOn(queue: WebhookQueue, options: Partial<WebhookHandlerOptions> = {}) {
  const logger = recordingLogger();
  const webhooks: WebhookHandler = new WebhookHandler({
    secret: SECRET,
    queue,
    logger,
    retry: { attempts: 2, baseMs: 1 },
    ...options,
  });
  const receive = (id: string, more: Readonly<Record<string, unknown>> = {}, tenant?: string) =>
    webhooks.receive(deliveryOf(bodyOf({ id, ...more }), tenant === undefined ? {} : { params: { tenant } }));
  return { webhooks, receive, logger };
}

const TENANTS: Partial<WebhookHandlerOptions> = {
  secret: ({ params }) => ({ secret: SECRET, tenant: params?.tenant ?? 'none' }),
};

describe('a full sqliteQueue', () => {
  it('rejects new events with 503, still recognizes old ones and accepts new ones when there is room', async () => {
    const { queue } = opened({ maxPending: 3 });
    const { webhooks, receive } = receiverOn(queue);
    webhooks.on('*', function work() {});
    for (const id of ['evt_1', 'evt_2', 'evt_3']) expect(await receive(id)).toEqual(QUEUED);
    expect(await receive('evt_4')).toEqual(FULL);
    expect(await receive('evt_1')).toEqual(answered('duplicate'));
    expect(await receive('evt_1', { created: 1 })).toEqual(refused(409, 'id_conflict'));
    expect(await webhooks.drain({ ...FOREVER, max: 1 })).toBe(1);
    expect(await receive('evt_1')).toEqual(answered('duplicate'));
    expect(await receive('evt_4')).toEqual(QUEUED);
    expect(await receive('evt_5')).toEqual(FULL);
  });

  it('counts each event of a concurrent burst', async () => {
    const { queue } = opened({ maxPending: 3 });
    const { receive } = receiverOn(queue);
    const replies = await Promise.all(Array.from({ length: 10 }, (_, i) => receive(`evt_${i}`)));
    expect(replies).toEqual([...Array(3).fill(QUEUED), ...Array(7).fill(FULL)]);
    expect((await queue.stats()).ready).toBe(3);
  });

  it('does not revive a dead event until its sender delivers it again', async () => {
    const { queue } = opened({ maxPending: 1 });
    const { webhooks, receive } = receiverOn(queue, { retry: { attempts: 1 } });
    webhooks.on('*', function broken() {
      throw new Error('cannot');
    });
    await receive('evt_dead');
    await webhooks.drain(FOREVER);
    expect(await receive('evt_1')).toEqual(QUEUED);
    expect(await receive('evt_dead')).toEqual(FULL);
    expect((await queue.stats()).dead).toBe(1);
  });
});

describe('event bodies in sqliteQueue', () => {
  it('are deleted with the completing commit and kept for waiting and dead events', async () => {
    const { queue, bodies, events } = opened();
    const { webhooks, receive } = receiverOn(queue, { retry: { attempts: 1 } });
    webhooks.on('user.created', function work({ id }) {
      if (id === 'evt_bad') throw new Error('cannot');
    });
    for (const id of ['evt_good', 'evt_bad', 'evt_later']) await receive(id);
    expect(bodies()).toEqual(['evt_good', 'evt_bad', 'evt_later']);
    await webhooks.drain({ ...FOREVER, max: 2 });
    expect(bodies()).toEqual(['evt_bad', 'evt_later']);
    expect(events()).toEqual(['default\nevt_good', 'default\nevt_bad', 'default\nevt_later']);
  });

  it('are kept for keepBodiesMs and swept by workers without a delivery', async () => {
    const { db, queue, bodies, wait, now } = opened({ keepBodiesMs: 60_000, retentionMs: 120_000 });
    const { webhooks, receive } = receiverOn(queue);
    webhooks.on('*', function work() {});
    await receive('evt_1');
    await webhooks.drain(FOREVER);
    expect(bodies()).toEqual(['evt_1']);
    const sweepAnew = async () => {
      const worker = receiverOn(sqliteQueue(db, { now })).webhooks;
      worker.on('*', function work() {});
      await worker.drain(FOREVER);
      return bodies();
    };
    wait(59_000);
    expect(await sweepAnew()).toEqual(['evt_1']);
    wait(2_000);
    expect(await sweepAnew()).toEqual([]);
    expect(await receive('evt_1')).toEqual(answered('duplicate'));
    wait(60_000);
    expect(await receive('evt_1')).toEqual(QUEUED);
  });

  it('are deleted with the row of their event at the latest', async () => {
    const { db, queue, bodies, events, wait, now } = opened({ keepBodiesMs: 1000, retentionMs: 1000 });
    const older = sqliteQueue(db, { now, keepBodiesMs: 500 });
    for (const [id, one] of [
      ['evt_kept_shorter', older],
      ['evt_kept_to_the_end', queue],
    ] as const) {
      const { webhooks, receive } = receiverOn(one);
      webhooks.on('*', function work() {});
      await receive(id);
      await webhooks.drain(FOREVER);
    }
    wait(1000);
    expect(await queue.store.sweep(1)).toBe(1);
    expect([events(), bodies()]).toEqual([['default\nevt_kept_shorter'], []]);
  });

  it('kept beyond a clearing replay are replaced by redelivered ones', async () => {
    const { queue, bodies } = opened({ keepBodiesMs: 60_000 });
    const { webhooks, receive } = receiverOn(queue);
    const runs: string[] = [];
    webhooks.on('*', function work({ id }) {
      runs.push(id);
    });
    await receive('evt_1');
    await webhooks.drain(FOREVER);
    expect(await queue.store.revive('evt_1', { steps: 'clear' })).toBe(true);
    expect(await receive('evt_1')).toEqual(QUEUED);
    expect(bodies()).toEqual(['evt_1']);
    await webhooks.drain(FOREVER);
    expect(runs).toEqual(['evt_1', 'evt_1']);
  });
});

describe('an event that crashes its process', () => {
  // What is left of a worker that was killed: a claim that nobody ends.
  async function loseClaims(queue: WebhookQueue, wait: (ms: number) => void, id: string, claims: number) {
    const { bodyHash } = (await queue.store.get(id)) ?? { bodyHash: '' };
    for (let lost = 0; lost < claims; lost++) {
      expect((await queue.store.claim(id, { leaseMs: 10, bodyHash })).status).toBe('acquired');
      wait(10);
    }
  }

  it('runs alone from its third crash on, so that it affects no neighbor', async () => {
    const { queue, wait } = opened();
    const { webhooks, receive } = receiverOn(queue);
    let running: string[] = [];
    const beside: Record<string, readonly string[]> = {};
    webhooks.on('*', async function work({ id }) {
      running.push(id);
      await new Promise((resolve) => setTimeout(resolve, 5));
      beside[id] = running.filter((other) => other !== id);
      running = running.filter((other) => other !== id);
    });
    for (const id of ['evt_a', 'evt_lost_2', 'evt_lost_3', 'evt_lost_4', 'evt_b']) await receive(id);
    await loseClaims(queue, wait, 'evt_lost_2', 2);
    await loseClaims(queue, wait, 'evt_lost_3', 3);
    await loseClaims(queue, wait, 'evt_lost_4', 4);
    expect(await webhooks.drain(FOREVER)).toBe(5);
    expect([beside.evt_lost_3, beside.evt_lost_4]).toEqual([[], []]);
    expect(beside.evt_b).toEqual(['evt_lost_2']);
  });

  it('is picked up by idle workers once running events end, and blocks none', async () => {
    const { queue, wait } = opened({ pollMs: 5 });
    const { webhooks, receive } = receiverOn(queue);
    const log: string[] = [];
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    webhooks.on('*', async function work({ id }) {
      log.push(`begin ${id}`);
      await (id === 'evt_slow' ? ended : new Promise((resolve) => setTimeout(resolve, 20)));
      log.push(`end ${id}`);
    });
    await receive('evt_suspect');
    await loseClaims(queue, wait, 'evt_suspect', 3);
    // Due before it, so that it runs when the suspect's turn comes.
    wait(-1000);
    await receive('evt_slow');
    wait(1000);
    await receive('evt_after');
    await webhooks.start({ concurrency: 5 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(log).toEqual(['begin evt_slow']);
    end();
    while ((await queue.stats()).ready + (await queue.stats()).active > 0)
      await new Promise((resolve) => setImmediate(resolve));
    await webhooks.stop();
    expect(log).toEqual([
      'begin evt_slow',
      'end evt_slow',
      'begin evt_suspect',
      'end evt_suspect',
      'begin evt_after',
      'end evt_after',
    ]);
  });
});

describe('several users of one SQLite file', () => {
  it('keep events, workers, dead letters and counts apart by namespace', async () => {
    const { db, queue, bodies } = opened({ namespace: 'one' });
    const other = sqliteQueue(db, { namespace: 'two' });
    const [one, two] = [receiverOn(queue, { retry: { attempts: 1 } }), receiverOn(other)];
    const runs: string[] = [];
    one.webhooks.on('*', function broken() {
      throw new Error('cannot');
    });
    two.webhooks.on('*', function work({ id }) {
      runs.push(id);
    });
    expect([await one.receive('evt_1'), await two.receive('evt_1', { created: 1 })]).toEqual([QUEUED, QUEUED]);
    expect([await one.webhooks.drain(FOREVER), await two.webhooks.drain(FOREVER)]).toEqual([1, 1]);
    expect([(await queue.stats()).dead, (await other.stats()).dead]).toEqual([1, 0]);
    expect([await other.deadLetters.get({ id: 'evt_1' }), await other.deadLetters.replay({})]).toEqual([undefined, 0]);
    expect([runs, bodies()]).toEqual([['evt_1'], ['evt_1']]);
  });

  it('share steps when a queue takes over an event that a receiver without a queue failed', async () => {
    const { db, queue } = opened();
    const inRequest = receiverOn(queue, { queue: undefined, store: sqliteStore(db), retry: { attempts: 1 } });
    const queued = receiverOn(queue);
    const runs: string[] = [];
    let broken = true;
    for (const { webhooks } of [inRequest, queued]) {
      webhooks.on('*', () => void runs.push('sound'), { name: 'sound' });
      webhooks.on(
        '*',
        () => {
          runs.push('shaky');
          if (broken) throw new Error('cannot');
        },
        { name: 'shaky' },
      );
    }
    expect((await inRequest.receive('evt_1')).status).toBe(500);
    broken = false;
    expect(await queued.receive('evt_1')).toEqual(QUEUED);
    expect(await queued.webhooks.drain(FOREVER)).toBe(1);
    expect(runs).toEqual(['sound', 'shaky', 'shaky']);
    expect(await inRequest.receive('evt_1')).toEqual(answered('duplicate'));
  });
});

describe('an effect in the transaction of its completion mark', () => {
  it('happens once although its handler runs again, and never when it fails', async () => {
    const { db, queue, wait } = opened();
    db.exec('CREATE TABLE mail (event_id TEXT, attempt INTEGER)');
    const { webhooks, receive } = receiverOn(queue);
    webhooks.on(
      '*',
      ({ id }, { commit, attempt }) => {
        commit?.((tx: SqliteDatabase) => {
          tx.prepare('INSERT INTO mail VALUES (?, ?)').run(id, attempt);
          if (attempt === 1) throw new Error('the effect failed half-way');
        });
      },
      { name: 'mail', transaction: true },
    );
    await receive('evt_1');
    for (let round = 0; round < 2; round++) {
      await webhooks.drain(FOREVER);
      wait(1000);
    }
    expect(await receive('evt_1')).toEqual(answered('duplicate'));
    expect(db.prepare('SELECT event_id, attempt FROM mail').all()).toMatchObject([{ event_id: 'evt_1', attempt: 2 }]);
  });

  it('is skipped for a late event when a newer one of its entity was applied', async () => {
    const { db, queue } = opened();
    db.exec('CREATE TABLE user (email TEXT)');
    const { webhooks, receive } = receiverOn(queue);
    webhooks.on(
      'user.created',
      async ({ created, data }, { commit, isStale }) => {
        if (await isStale(data.user.id)) return;
        commit?.((tx: SqliteDatabase) => void tx.prepare('INSERT INTO user VALUES (?)').run(String(created)));
      },
      { name: 'mirror', transaction: true, serialBy: ({ data }) => data.user.id },
    );
    for (const [id, created] of [
      ['evt_new', 2_000_000_000],
      ['evt_old', 1_000_000_000],
      ['evt_same', 2_000_000_000],
    ] as const) {
      await receive(id, { created });
      await webhooks.drain(FOREVER);
    }
    expect(db.prepare('SELECT email FROM user').all()).toMatchObject([
      { email: '2000000000' },
      { email: '2000000000' },
    ]);
  });

  it('is rolled back when the claim was taken over', async () => {
    const { db, queue, wait } = opened();
    db.exec('CREATE TABLE effect (attempt INTEGER)');
    const { webhooks, receive } = receiverOn(queue);
    webhooks.on(
      '*',
      async (event, { commit, attempt }) => {
        if (attempt === 1) {
          // As after a long stop of this process.
          wait(60_000);
          const { bodyHash } = (await queue.store.get(event.id)) ?? { bodyHash: '' };
          await queue.store.claim(event.id, { leaseMs: 10, bodyHash });
          wait(10);
        }
        commit?.((tx: SqliteDatabase) => void tx.prepare('INSERT INTO effect VALUES (?)').run(attempt));
      },
      { name: 'effect', transaction: true },
    );
    await receive('evt_1');
    for (let round = 0; round < 2; round++) {
      await webhooks.drain(FOREVER);
      wait(60_000);
    }
    expect(db.prepare('SELECT attempt FROM effect').all()).toMatchObject([{ attempt: 3 }]);
  });
});

describe('hostile input', () => {
  const words = [
    "'; DROP TABLE pathfinder_webhook_event; --",
    "evt' OR '1'='1",
    '"',
    '\\',
    '%',
    '_',
    '?1',
    ':id',
    '$1',
    '@id',
    'a:b',
    '{"$":1}',
  ];

  it('in an id, type, tenant or error is stored and returned unchanged', async () => {
    const { db, queue } = opened();
    const { webhooks, receive } = receiverOn(queue, { ...TENANTS, retry: { attempts: 1 } });
    webhooks.on('*', function broken({ id }) {
      throw new Error(id);
    });
    for (const word of words) expect(await receive(word, { type: word }, word)).toEqual(QUEUED);
    await webhooks.drain(FOREVER);
    const letters = await queue.deadLetters.list();
    expect(letters.map(({ id, type, tenant }) => [id, type, tenant])).toEqual(words.map((word) => [word, word, word]));
    expect(letters.map(({ error }) => error)).toEqual(words.map((word) => expect.stringContaining(word)));
    for (const word of words) {
      expect((await queue.deadLetters.list({ type: word, tenant: word })).map(({ id }) => id)).toEqual([word]);
    }
    expect(db.prepare('PRAGMA integrity_check').get()).toMatchObject({ integrity_check: 'ok' });
  });

  it('in a prefix, namespace or number is rejected when the queue is opened', () => {
    const db = openDatabase(folder.file('options.db'));
    const refusedOptions: readonly (readonly [SqliteQueueOptions, string])[] = [
      [{ tablePrefix: 'a;b' }, 'tablePrefix'],
      [{ tablePrefix: 'event"; DROP TABLE x; --' }, 'tablePrefix'],
      [{ tablePrefix: '1st_' }, 'tablePrefix'],
      [{ tablePrefix: '' }, 'tablePrefix'],
      [{ tablePrefix: 'x'.repeat(64) }, 'tablePrefix'],
      [{ namespace: '' }, 'namespace'],
      [{ namespace: 'a\nb' }, 'namespace'],
      [{ namespace: 'x'.repeat(65) }, 'namespace'],
      [{ leaseMs: 0 }, 'leaseMs'],
      [{ retentionMs: Number.NaN }, 'retentionMs'],
      [{ maxPending: -1 }, 'maxPending'],
      [{ pollMs: 0 }, 'pollMs'],
      [{ keepBodiesMs: -1 }, 'keepBodiesMs'],
      [{ keepBodiesMs: 2, retentionMs: 1 }, 'keepBodiesMs'],
    ];
    for (const [options, named] of refusedOptions) {
      expect(() => sqliteQueue(db, options), named).toThrow(TypeError);
      expect(() => sqliteQueue(db, options)).toThrow(`\`${named}\``);
    }
    expect(db.prepare('SELECT count(*) AS n FROM sqlite_master').get()).toMatchObject({ n: 0 });
  });
});
