import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebhookHandler, type WebhookQueue, type WebhookStore } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { CRASH_SECRET, FAILED_RUN, POISON, RACE_KEYS } from './constants.ts';
import type { ChildTask, CrashEngine, CrashQueue, Disturbance } from './engine.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const LANES = 4;
const takeDown = () => process.kill(process.pid, 'SIGKILL');
const DEADLY = { '~standard': { version: 1, vendor: 'crash', validate: takeDown } };
// So long that any kill hits it, with the sender and the workers at work all the time.
const TWIN_DELAY_MS = 100;

const task = JSON.parse(process.argv[2] ?? '') as ChildTask;
// The wall clock of the host, which somebody sets.
const { now: realNow } = Date;
let aheadMs = task.aheadMs ?? 0;
Date.now = () => realNow() + aheadMs;
const { engine } = (await import(`./engines/${task.engine}.ts`)) as { readonly engine: CrashEngine };
const leaseMs = task.twin === 'endless-lease' ? 1e9 : task.leaseMs;
const opened = await engine.open(task.settings, { leaseMs });

// Not to outlive the parent, whatever became of it.
process.on('disconnect', () => process.exit(1));
const roles = { node: runNode, race: runRace, zombie: runZombie };
await roles[task.role](opened);

/** A receiver and its workers, as one process of a deployment. */
async function runNode({ register, queue, fill, close }: CrashQueue): Promise<void> {
  const webhooks = new WebhookHandler({
    secret: CRASH_SECRET,
    queue: spoil(queue),
    logger: SILENT,
    // A disk that is full fails every run.
    retry: { attempts: 10_000, baseMs: 20, factor: 1 },
    events: task.killer === 'schema' ? { 'user.deleted': DEADLY as never } : {},
  });
  register(webhooks, task.calm ? workCalmly : work, { outside: task.twin === 'effect-first' });
  webhooks.on('user.created', () => delay(1), { name: 'in-line', serialBy: ({ id }) => String(id).slice(-1) });
  webhooks.on('user.deleted', takeDown, { name: POISON });
  const server = createServer(toNodeListener(webhooks));
  server.listen(0, '127.0.0.1');
  await webhooks.start({ concurrency: 10 });
  process.on('message', async (message: 'stats' | Disturbance) => {
    if (message === 'stats') tell({ stats: await queue.stats() });
    else if ('stepMs' in message) aheadMs += message.stepMs;
    else await fill?.(message.fillMs);
  });
  process.on('SIGTERM', async () => {
    if (task.twin === 'exit-at-once') process.exit(0);
    server.close();
    server.closeAllConnections();
    await webhooks.stop({ timeoutMs: 100 });
    await close();
    process.exit(0);
  });
  server.on('listening', () => tell({ port: (server.address() as AddressInfo).port }));
}

async function work(id: string): Promise<void> {
  appendFileSync(task.runsFile, `${id}\n`);
  const chance = Math.random();
  if (chance < 0.01) block(task.leaseMs * 1.5);
  else if (chance < 0.1) fail();
  else await workCalmly();
}

async function workCalmly(): Promise<void> {
  await delay(Math.random() * 20);
}

function fail(): never {
  appendFileSync(task.runsFile, `${FAILED_RUN}\n`);
  throw new Error('by chance');
}

// The heartbeat cannot be sent meanwhile: the claim passes to another process.
function block(ms: number): void {
  const endsAtMs = performance.now() + ms;
  while (performance.now() < endsAtMs);
}

function spoil(queue: WebhookQueue): WebhookQueue {
  if (task.twin === 'ack-before-commit') {
    return {
      ...queue,
      async enqueue(delivery) {
        setTimeout(() => queue.enqueue(delivery).catch(() => undefined), TWIN_DELAY_MS);
        return 'accepted';
      },
    };
  }
  if (task.twin === 'mark-first') {
    return {
      ...queue,
      async enqueue(delivery) {
        const mark = `seen\n${delivery.key}`;
        const claim = await queue.store.claim(mark, { leaseMs: 60_000, bodyHash: delivery.bodyHash });
        if (claim.status !== 'acquired') return 'duplicate';
        await queue.store.complete(mark, claim.token);
        await delay(TWIN_DELAY_MS);
        return queue.enqueue(delivery);
      },
    };
  }
  if (task.twin === 'effect-first') return { ...queue, store: markLate(queue.store) };
  return queue;
}

/** Leaves time to die between an effect and its mark. */
function markLate(store: WebhookStore): WebhookStore {
  const { transaction, transactions } = store;
  if (!transaction) return store;
  return {
    ...store,
    async transaction(run) {
      // Nobody may wait inside one that is synchronous; what is outside of it was done before it began.
      if (transactions === 'sync') await delay(TWIN_DELAY_MS);
      return transaction(async (tx) => {
        const given = await run(tx);
        if (transactions === 'async') await delay(TWIN_DELAY_MS);
        return given;
      });
    },
  };
}

/** Claims every key that all of them are after, and tells which it got. */
async function runRace({ queue, close }: CrashQueue): Promise<void> {
  process.on('message', async () => {
    const keys = RACE_KEYS.toSorted(() => Math.random() - 0.5);
    const won: string[] = [];
    await Promise.all(
      Array.from({ length: LANES }, async () => {
        for (let key = keys.pop(); key !== undefined; key = keys.pop()) {
          const claim = await queue.store.claim(key, { leaseMs: 60_000, bodyHash: '' });
          if (claim.status === 'acquired') won.push(key);
        }
      }),
    );
    await close();
    tell({ won });
  });
  tell({ ready: true });
}

/** Claims a key, and much later tries everything that its claim once allowed. */
async function runZombie({ queue }: CrashQueue): Promise<void> {
  const { store } = queue;
  const claim = await store.claim('zombie', { leaseMs: task.leaseMs, bodyHash: '' });
  if (claim.status !== 'acquired') throw new Error(`not acquired but ${claim.status}`);
  const { token } = claim;
  process.on('message', async () => {
    const answers = [
      await store.extend('zombie', token, 60_000),
      await store.checkpoint('zombie', token, 'step', 'of the zombie'),
      await store.complete('zombie', token),
      await store.fail('zombie', token, { dead: 'failed', error: 'of the zombie' }),
    ];
    tell({ answers });
  });
  tell({ claimed: claim.attempt });
}

function tell(message: object): void {
  if (process.connected) process.send?.(message);
}
