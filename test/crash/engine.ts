import type { WebhookHandler, WebhookQueue } from '@pathfinder/webhooks';

/** What children need to open what the parent has prepared: it travels as JSON. */
export type CrashSettings = Readonly<Record<string, string | number>>;

/** A store and queue under test. To add one: a module `engines/<name>.ts` that exports it as `engine`. */
export interface CrashEngine {
  readonly name: string;
  /** Its effects commit with the mark that a handler is done, so that none may be made twice. */
  readonly transactional: boolean;
  /** In the parent: makes a place of its own, empty. */
  prepare(options: PrepareOptions): Promise<CrashPlace>;
  /** In the parent: ends what its places share. */
  close?(): Promise<void>;
  /** In a child: opens the queue on that place. */
  open(settings: CrashSettings, options: OpenEngineOptions): Promise<CrashQueue>;
}

export interface PrepareOptions {
  /** The run restarts the server, so the place cannot share one. */
  readonly restarts: boolean;
}

export interface OpenEngineOptions {
  /** What the queue and its store have to take as their lease. */
  readonly leaseMs: number;
}

/** Where a run takes place, as its parent sees it. */
export interface CrashPlace {
  readonly settings: CrashSettings;
  /** How often the effect of each event was made. */
  effects(): Promise<ReadonlyMap<string, number>>;
  /** What is not as it should be when nothing is left to run, in sentences: bodies that are left, a broken file. */
  problems(): Promise<readonly string[]>;
  /** Holds for so long the lock that every write needs, where there is one. */
  lock?(ms: number): Promise<void>;
  /** Ends the engine's own server at once and starts it again, where it has one. */
  restart?(): Promise<void>;
  dispose(): Promise<void>;
}

/** What a child works with. */
export interface CrashQueue {
  readonly queue: WebhookQueue;
  /**
   * Registers one handler for `user.created`, which does `work` and then makes the effect of the event: in the transaction
   * that marks the handler done, unless told otherwise.
   */
  register(webhooks: WebhookHandler, work: (id: string) => Promise<void>, options: RegisterOptions): void;
  /** Has no room on its disk for so long, where it has one. */
  fill?(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** What a child is told while it runs. */
export type Disturbance = { readonly fillMs: number } | { readonly stepMs: number };

export interface RegisterOptions {
  /** A fault: the effect commits by itself, before the mark. */
  readonly outside: boolean;
}

/** Faults that a run has to find. */
export type Twin = 'ack-before-commit' | 'mark-first' | 'effect-first' | 'endless-lease' | 'exit-at-once';

/** What takes a process down. */
export type Killer = 'handler' | 'schema';

/** What a child is told when it is started. */
export interface ChildTask {
  readonly engine: string;
  readonly role: 'node' | 'race' | 'zombie';
  readonly settings: CrashSettings;
  readonly leaseMs: number;
  /** Each run of a handler appends the event's id to this file: effects outside of any transaction. */
  readonly runsFile: string;
  /** How far ahead the wall clock of the host is when it starts. Default 0. */
  readonly aheadMs?: number | undefined;
  readonly twin?: Twin | undefined;
  /** Handlers neither fail by chance nor block. Default false. */
  readonly calm?: boolean | undefined;
  /** What takes the process down that works off a `user.deleted`. Default its handler. */
  readonly killer?: Killer | undefined;
}
