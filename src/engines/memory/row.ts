import type { Claim, ClaimOptions, DeadReason, FailOptions, StoredEvent } from '../../store.ts';
import type { Counts } from './finished.ts';

/** An event that is not finished. */
export interface Row {
  state: 'free' | 'active' | 'dead';
  token: number;
  counts: Counts;
  bodyHash: string;
  /** Active: the lease's end. Free: claimable from. */
  untilMs: number;
  details: Details | undefined;
}

/** What few events have to be remembered by. */
export interface Details {
  steps: Record<string, string>;
  error: string | undefined;
  /** Why it is dead. */
  reason: DeadReason | undefined;
  /** A queue holds the bytes of this free event. */
  held: boolean;
}

/** The operations of a store on the rows of this process, which answer at once. */
export interface MemoryRows {
  readonly retentionMs: number;
  claim(key: string, options: ClaimOptions): Claim;
  extend(key: string, token: string, leaseMs: number): boolean;
  checkpoint(key: string, token: string, step: string, value: string): 'saved' | 'exists' | 'lost';
  complete(key: string, token: string): boolean;
  fail(key: string, token: string, options: FailOptions): boolean;
  get(key: string): StoredEvent | undefined;
  revive(key: string, options: { readonly steps: 'keep' | 'clear' }): boolean;
  latest(entity: string): number | undefined;
  advance(entity: string, version: number): boolean;
  /** Forgets an event, whatever it is at. */
  forget(key: string): void;
  sweep(limit: number): number;
  requireRetention(ms: number): void;
}

/** Whether it may be forgotten one day: a failed event, of which nothing holds the bytes, or one without a handler. */
export function isForgettable({ state, details }: Row): boolean {
  return state === 'dead' ? details?.reason === 'unhandled' : state === 'free' && !details?.held;
}
