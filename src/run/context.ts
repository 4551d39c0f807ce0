import type { WebhookLogger } from '../report/logger.ts';
import { type HandlerContext, type HandlerRun, keepStep } from './execution.ts';
import { loseLease } from './lease.ts';

const MOST_STEP_CHARACTERS = 8192;
const STEP_NAME = /^[\w.-]{1,64}$/;

export function stopRun(run: HandlerRun, reason: unknown): void {
  run.stopReason ??= reason;
  run.controller?.abort(run.stopReason);
}

/** The signal of a run: one for all its attempts, made on first use. */
export function signalOf(run: HandlerRun): AbortSignal {
  if (!run.controller) {
    run.controller = new AbortController();
    if (run.stopReason !== undefined) run.controller.abort(run.stopReason);
  }
  return run.controller.signal;
}

export function createContext(run: HandlerRun, attempt: number, tx: unknown): HandlerContext {
  return new Context(run, attempt, tx);
}

// A class, since accessors of a literal are made anew for each event, and most handlers use none of them. The methods
// are accessors so that `const { once } = context` works.
class Context implements HandlerContext {
  readonly attempt: number;
  readonly tx: unknown;
  readonly #run: HandlerRun;

  constructor(run: HandlerRun, attempt: number, tx: unknown) {
    this.#run = run;
    this.attempt = attempt;
    this.tx = tx;
  }

  get signal(): AbortSignal {
    return signalOf(this.#run);
  }

  get idempotencyKey(): string {
    const { tenant, event } = this.#run.execution.job;
    return `${tenant === undefined ? '' : `${tenant}:`}${event.id}:${this.#run.registration.id}`;
  }

  get fencingToken(): number {
    return this.#run.execution.claim.attempt;
  }

  get handlerName(): string {
    return this.#run.registration.name;
  }

  get tenant(): string | undefined {
    return this.#run.execution.job.tenant;
  }

  get rawBody(): Uint8Array {
    return this.#run.execution.job.body;
  }

  get logger(): WebhookLogger {
    return this.#run.execution.core.logger;
  }

  get once(): HandlerContext['once'] {
    return (step, work) => once(this.#run, step, work);
  }

  get isStale(): HandlerContext['isStale'] {
    return (entity) => isStale(this.#run, entity);
  }

  get commit(): HandlerContext['commit'] {
    const { execution, registration } = this.#run;
    if (!registration.options.transaction || execution.core.store.transactions !== 'sync') return undefined;
    return (effect) => keepEffect(this.#run, effect);
  }
}

function once<T>(run: HandlerRun, step: string, work: () => T | Promise<T>): Promise<T> {
  run.onces ??= new Map();
  const { onces } = run;
  const begun = onces.get(step);
  if (begun) return begun as Promise<T>;
  const result = runOnceOnly(run, step, work);
  onces.set(step, result);
  // What failed may be tried again, within the same run too.
  result.catch(() => onces.delete(step));
  return result;
}

async function runOnceOnly<T>(run: HandlerRun, step: string, work: () => T | Promise<T>): Promise<T> {
  const { core, lease, steps } = run.execution;
  if (!STEP_NAME.test(step)) throw new TypeError('A step name has 1 to 64 of the characters A-Z a-z 0-9 _ . and -.');
  const id = `${run.registration.id}/${step}`;
  const stored = steps[id];
  if (stored !== undefined) return decodeStep(stored) as T;
  const result = await work();
  const value = encodeStep(result, step);
  if ((await core.store.checkpoint(lease.key, lease.token, id, value)) === 'lost') throw loseLease(lease);
  keepStep(run.execution, id, value);
  return result;
}

// No JSON text is empty, so that is free to stand for `undefined`.
function encodeStep(result: unknown, step: string): string {
  const value = JSON.stringify(result) ?? '';
  if (value.length <= MOST_STEP_CHARACTERS) return value;
  throw new TypeError(`The result of step '${step}' is over 8 kB as JSON: return a reference to it instead.`);
}

function decodeStep(value: string): unknown {
  return value === '' ? undefined : JSON.parse(value);
}

async function isStale(run: HandlerRun, entity: string): Promise<boolean> {
  run.entities ??= new Set();
  run.entities.add(entity);
  const latest = await run.execution.core.store.latest(entityKey(run, entity));
  return latest !== undefined && latest > run.execution.job.event.created;
}

/** The store's name for an entity: each handler of each tenant has its own. */
export function entityKey(run: HandlerRun, entity: string): string {
  return `${run.execution.job.tenant ?? ''}\n${run.registration.id}\n${entity}`;
}

function keepEffect(run: HandlerRun, effect: (db: unknown) => void): void {
  if (run.effect) throw new TypeError('context.commit takes one effect: put all statements into it.');
  run.effect = effect;
}
