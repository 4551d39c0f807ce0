import { memoryStore, type WebhookStore } from '@pathfinder/webhooks';
import {
  describeWebhookStore,
  type OpenStore,
  runStoreCase,
  type StoreCase,
  type StoreKind,
  storeContract,
  type TestRunner,
} from '@pathfinder/webhooks/testing';
import { describe, expect, it } from 'vitest';
import { contractRunner } from '../support/contract-runner.ts';
import { recordingLogger } from '../support/deliver.ts';

/** A memory store whose clock the suite drives, changed by `change`. */
function memory(change: (store: WebhookStore) => WebhookStore = (store) => store): OpenStore {
  return ({ retentionMs }) => {
    let nowMs = 1_000_000;
    const store = memoryStore({ retentionMs, now: () => nowMs, logger: recordingLogger() });
    const advance = (ms: number) => {
      nowMs += ms;
    };
    return { store: change(store), advance };
  };
}

/** Adds transactions: what is written in one is kept back until its work has succeeded. */
function transactional(store: WebhookStore, { rollback = true, commit = true } = {}): WebhookStore {
  type Tx = { readonly writes: (() => Promise<unknown>)[]; readonly steps: Set<string> };
  const later = async <T>(tx: unknown, answer: T, write: () => Promise<unknown>): Promise<T> => {
    if (rollback) (tx as Tx).writes.push(write);
    else await write();
    return answer;
  };
  return {
    ...store,
    transactions: 'async',
    async transaction(work) {
      const tx: Tx = { writes: [], steps: new Set() };
      const given = await work(tx);
      if (commit) for (const write of tx.writes) await write();
      return given;
    },
    async checkpoint(key, token, step, value, tx) {
      if (tx === undefined) return store.checkpoint(key, token, step, value);
      const { steps } = tx as Tx;
      const id = `${key}\n${step}`;
      if (!(await store.extend(key, token, 60_000))) return 'lost';
      if (steps.has(id) || step in ((await store.get(key))?.steps ?? {})) return 'exists';
      steps.add(id);
      return later(tx, 'saved', () => store.checkpoint(key, token, step, value));
    },
    async complete(key, token, tx) {
      if (tx === undefined) return store.complete(key, token);
      if (!(await store.extend(key, token, 60_000))) return false;
      return later(tx, true, () => store.complete(key, token));
    },
    async advance(entity, version, tx) {
      if (tx === undefined) return store.advance(entity, version);
      if (((await store.latest(entity)) ?? version) > version) return false;
      return later(tx, true, () => store.advance(entity, version));
    },
  };
}

/** The names of the cases that a store fails. */
async function brokenPromises(open: OpenStore, kinds: readonly StoreKind[] = []): Promise<readonly string[]> {
  const broken: string[] = [];
  for (const one of casesOf(kinds)) await runStoreCase(one, open).catch(() => broken.push(one.name));
  return broken;
}

function casesOf(kinds: readonly StoreKind[]): readonly StoreCase[] {
  return storeContract.filter(({ kind }) => kind === undefined || kinds.includes(kind));
}

describeWebhookStore('memoryStore', memory(), { runner: contractRunner });
describeWebhookStore('memoryStore in real time', ({ retentionMs }) => ({ store: memoryStore({ retentionMs }) }), {
  runner: contractRunner,
});
describeWebhookStore('a store with transactions', memory(transactional), {
  runner: contractRunner,
  kinds: ['transactions'],
});

/** What each twin forgets, and a case that has to notice. */
const twins: readonly (readonly [name: string, noticed: string, change: (store: WebhookStore) => WebhookStore])[] = [
  [
    'lets two claim',
    'one of fifty concurrent claims is acquired, and the others are told how long to wait',
    (store) => ({
      ...store,
      async claim(key, options) {
        const answer = await store.claim(key, options);
        if (answer.status !== 'busy') return answer;
        return { status: 'acquired', token: 'second', attempt: 2, claims: 2, failures: 0, steps: {} };
      },
    }),
  ],
  [
    'keeps the row of a lane that is free',
    'only its owner can forget a claim, which then leaves nothing behind',
    (store) => ({ ...store, fail: (key, token, options) => store.fail(key, token, { ...options, forget: false }) }),
  ],
  [
    'checks first and claims later',
    'one of twenty takes over when a lease has ended',
    (store) => {
      const held = new Map<string, number>();
      return {
        ...store,
        async claim(key, options) {
          const seen = held.get(key) ?? 0;
          await Promise.resolve();
          const answer = await store.claim(key, options);
          if (answer.status === 'acquired') held.set(key, seen + 1);
          return answer.status === 'busy' && seen > 0 && held.get(key) === seen + 1
            ? { status: 'acquired', token: 'late', attempt: seen + 1, claims: 1, failures: 0, steps: {} }
            : answer;
        },
      };
    },
  ],
  [
    'never gives a lease away',
    'a lease blocks other claims until it ends, and then one of them takes over',
    (store) => ({ ...store, claim: (key, options) => store.claim(key, { ...options, leaseMs: 1e9 }) }),
  ],
  [
    'does not extend',
    'an extended lease lasts longer and then ends',
    (store) => ({ ...store, extend: async (key, token) => store.extend(key, token, 1) }),
  ],
  [
    'extends for anybody',
    'a worker that lost its claim can extend, checkpoint, complete and fail nothing',
    (store) => ({ ...store, extend: async () => true }),
  ],
  [
    'completes for anybody',
    'only the owner of a claim can complete it, and completing again succeeds',
    (store) => {
      const tokens = new Map<string, string>();
      return {
        ...store,
        async claim(key, options) {
          const answer = await store.claim(key, options);
          if (answer.status === 'acquired') tokens.set(key, answer.token);
          return answer;
        },
        complete: (key) => store.complete(key, tokens.get(key) ?? ''),
      };
    },
  ],
  [
    'completes only once',
    'only the owner of a claim can complete it, and completing again succeeds',
    (store) => ({
      ...store,
      complete: async (key, token) => (await store.get(key))?.state === 'active' && store.complete(key, token),
    }),
  ],
  [
    'calls everything completed',
    'a worker that lost its claim can extend, checkpoint, complete and fail nothing',
    (store) => ({ ...store, complete: async (key, token) => (await store.complete(key, token)) || true }),
  ],
  [
    'forgets the hash',
    'a different body is a conflict for a running, waiting, dead, completed or revived event and changes nothing',
    (store) => ({ ...store, claim: (key, options) => store.claim(key, { ...options, bodyHash: 'a'.repeat(64) }) }),
  ],
  [
    'forgets the hash of what is done',
    'a finished id is a duplicate, and a conflict for a different body',
    (store) => ({
      ...store,
      async claim(key, options) {
        const answer = await store.claim(key, options);
        const done = answer.status === 'conflict' && (await store.get(key))?.state === 'done';
        return done ? { status: 'done' } : answer;
      },
    }),
  ],
  [
    'replaces bytes without a word',
    'a different body replaces that of a failed, unclaimed event and its steps',
    (store) => ({
      ...store,
      async claim(key, options) {
        const answer = await store.claim(key, options);
        return answer.status === 'acquired' ? { ...answer, bodyReplaced: false } : answer;
      },
    }),
  ],
  [
    'keeps the last value of a step',
    'a step is saved once with its first value',
    (store) => ({
      ...store,
      checkpoint: async (...given) => ((await store.checkpoint(...given)) === 'lost' ? 'lost' : 'saved'),
    }),
  ],
  [
    'loses steps that are written at the same time',
    'twenty concurrent steps are all saved, and the first of twenty writes of one step wins',
    (store) => {
      let busy = false;
      return {
        ...store,
        async checkpoint(...given) {
          if (busy) return 'saved';
          busy = true;
          await Promise.resolve();
          busy = false;
          return store.checkpoint(...given);
        },
      };
    },
  ],
  [
    'drops steps at a failure',
    'steps survive a failure, a wait, a release and a crashed worker',
    (store) => {
      const failed = new Set<string>();
      return {
        ...store,
        fail: (key, ...given) => store.fail(key, ...given).finally(() => failed.add(key)),
        async claim(key, options) {
          const answer = await store.claim(key, options);
          return answer.status === 'acquired' && failed.has(key) ? { ...answer, steps: {} } : answer;
        },
      };
    },
  ],
  [
    'cuts long steps',
    'steps of any name store any text of up to 8 kB',
    (store) => ({
      ...store,
      checkpoint: (key, token, step, value) => store.checkpoint(key, token, step, value.slice(0, 4096)),
    }),
  ],
  [
    'begins its numbers anew',
    'each claim of a key has its own token and a higher number than earlier claims',
    (store) => ({
      ...store,
      async claim(key, options) {
        const answer = await store.claim(key, options);
        return answer.status === 'acquired' ? { ...answer, attempt: answer.claims } : answer;
      },
    }),
  ],
  [
    'counts no failures',
    'claims and failures are counted separately, so that crashes show',
    (store) => ({
      ...store,
      async claim(key, options) {
        const answer = await store.claim(key, options);
        return answer.status === 'acquired' ? { ...answer, failures: 0 } : answer;
      },
    }),
  ],
  [
    'counts a release as a failure',
    'a released claim counts neither as a claim nor as a failure',
    (store) => ({ ...store, fail: (key, token, options) => store.fail(key, token, { error: '', ...options }) }),
  ],
  [
    'waits for nothing',
    'a waiting event is busy until its time and then free',
    (store) => ({
      ...store,
      fail: (key, token, options) =>
        store.fail(key, token, options.retryInMs === undefined ? options : { ...options, retryInMs: 0 }),
    }),
  ],
  [
    'lets nothing die',
    'a dead event is dead until it is revived',
    (store) => ({ ...store, fail: (key, token, options) => store.fail(key, token, { ...options, dead: undefined }) }),
  ],
  [
    'fails for anybody',
    'a failure frees the key at once and is counted and stored',
    (store) => ({ ...store, fail: async (...given) => (await store.fail(...given)) || true }),
  ],
  [
    'forgets why an event is dead',
    'a dead event has its reason',
    (store) => ({
      ...store,
      get: async (key) => {
        const row = await store.get(key);
        return row?.reason ? { ...row, reason: 'failed' } : row;
      },
    }),
  ],
  [
    'cuts errors',
    'an error message of any length is stored unchanged',
    (store) => ({
      ...store,
      fail: (key, token, options) => store.fail(key, token, { ...options, error: options.error?.slice(0, 1000) }),
    }),
  ],
  [
    'keeps for ever what no handler matched',
    'an unhandled event is kept for the retention, then forgotten and swept',
    (store) => ({
      ...store,
      fail: (key, token, options) =>
        store.fail(key, token, options.dead === 'unhandled' ? { ...options, dead: 'failed' } : options),
    }),
  ],
  [
    'revives without clearing',
    'reviving keeps or clears the steps',
    (store) => ({ ...store, revive: (key) => store.revive(key, { steps: 'keep' }) }),
  ],
  [
    'revives what runs',
    'only dead or completed events are revived, and only once',
    (store) => ({ ...store, revive: async (...given) => (await store.revive(...given)) || true }),
  ],
  [
    'goes back to older versions',
    'an entity has no version before the first, then the newest',
    (store) => ({ ...store, advance: async (...given) => (await store.advance(...given)) || true }),
  ],
  [
    'calls an equal version stale',
    'an entity has no version before the first, then the newest',
    (store) => ({
      ...store,
      advance: async (entity, version) =>
        (await store.latest(entity)) !== version && (await store.advance(entity, version)),
    }),
  ],
  [
    'keeps versions as 32 bits',
    'the largest time that an event may carry is kept exactly',
    (store) => ({ ...store, advance: (entity, version) => store.advance(entity, version | 0) }),
  ],
  [
    'cuts keys at a NUL',
    'keys that look alike are different keys',
    (store) => withKeys(store, (key) => key.split('\0')[0] ?? ''),
  ],
  [
    'keeps keys as UTF-8 only',
    'keys that look alike are different keys',
    (store) => withKeys(store, (key) => Buffer.from(key).toString()),
  ],
  ['cuts long keys', 'keys that look alike are different keys', (store) => withKeys(store, (key) => key.slice(0, 200))],
  [
    'takes keys for words',
    'keys that look alike are different keys',
    (store) => withKeys(store, (key) => key.toLowerCase()),
  ],
  [
    'normalises keys',
    'keys that look alike are different keys',
    (store) => withKeys(store, (key) => key.normalize('NFC')),
  ],
  ['trims keys', 'keys that look alike are different keys', (store) => withKeys(store, (key) => key.trim())],
  [
    'joins tenant and id by a colon',
    'no tenant sees the ids of another',
    (store) => withKeys(store, (key) => key.replace('\n', ':')),
  ],
  [
    'never forgets',
    'a finished id is forgotten after the retention and can then be claimed again',
    (store) => {
      const done = new Set<string>();
      return {
        ...store,
        async complete(key, token) {
          const completed = await store.complete(key, token);
          if (completed) done.add(key);
          return completed;
        },
        claim: async (key, options) => (done.has(key) ? { status: 'done' } : store.claim(key, options)),
      };
    },
  ],
  [
    'sweeps more than it is told',
    'sweeping deletes at most the requested number of expired events',
    (store) => ({ ...store, sweep: () => store.sweep(1000) }),
  ],
  [
    'reports sweeping what it did not',
    'sweeping deletes at most the requested number of expired events',
    (store) => ({ ...store, sweep: async (limit) => Math.max(1, await store.sweep(limit)) }),
  ],
];

function withKeys(store: WebhookStore, change: (key: string) => string): WebhookStore {
  return {
    ...store,
    claim: (key, options) => store.claim(change(key), options),
    complete: (key, token) => store.complete(change(key), token),
    get: (key) => store.get(change(key)),
  };
}

describe('the store contract', () => {
  it.each(twins)('detects a store that %s', async (_, noticed, change) => {
    expect(await brokenPromises(memory(change))).toContain(noticed);
  });

  it('detects transactions that keep failed effects or lose successful ones', async () => {
    const kinds = ['transactions'] as const;
    const keeps = memory((store) => transactional(store, { rollback: false }));
    const loses = memory((store) => transactional(store, { commit: false }));
    expect(await brokenPromises(keeps, kinds)).toEqual([
      'a transaction whose work fails rolls back its checkpoint, version and completion',
      'ten concurrent transactions each commit their own marks',
    ]);
    expect(await brokenPromises(loses, kinds)).toEqual([
      'a transaction returns the result of its work and commits its marks',
      'ten concurrent transactions each commit their own marks',
    ]);
  });

  it('detects a store that forgets too early or mixes namespaces', async () => {
    const volatile = await brokenPromises(memory(), ['durable', 'shared']);
    expect(volatile).toEqual([
      'the claim of a dead process is forgotten after the retention and swept',
      'its contents survive closing and reopening',
      'each key is acquired by one of two instances, and each accepts the tokens of the other',
    ]);
    let one: ReturnType<OpenStore> | undefined;
    const openOne: OpenStore = (options) => {
      one ??= memory()(options);
      return one;
    };
    const namespaces = storeContract.filter(({ name }) => name.startsWith('a namespace'));
    expect(namespaces).toHaveLength(1);
    for (const each of namespaces) await expect(runStoreCase(each, openOne)).rejects.toThrow();
  });

  it("checks a store's own claims about itself", async () => {
    const defined: [string, () => Promise<void>][] = [];
    const runner: TestRunner = {
      describe: (_, define) => define(),
      it: (name, run) => defined.push([name, run]),
    };
    const outcomes = async (kinds: readonly StoreKind[], open = memory()) => {
      defined.length = 0;
      describeWebhookStore('x', open, { runner, kinds });
      expect(defined).toHaveLength(casesOf(kinds).length + 1);
      return defined[0]?.[1]().then(
        () => 'passes',
        () => 'fails',
      );
    };
    expect(await outcomes([])).toBe('passes');
    expect(await outcomes(['durable'])).toBe('fails');
    expect(await outcomes(['transactions'])).toBe('fails');
    expect(await outcomes([], memory(transactional))).toBe('fails');
    expect(await outcomes(['transactions'], memory(transactional))).toBe('passes');
  });

  it('has a unique name for each case and closes each store that it opened', async () => {
    expect(new Set(storeContract.map(({ name }) => name)).size).toBe(storeContract.length);
    let open = 0;
    const counted: OpenStore = (options) => {
      open++;
      return memory((store) => ({ ...store, close: async () => void open-- }))(options);
    };
    for (const one of storeContract) await runStoreCase(one, counted).catch(() => undefined);
    expect(open).toBe(0);
  });
});
