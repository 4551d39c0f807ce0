import type { DeadReason, StoredEvent } from '../../index.ts';

// How engines keep the state of an event: a digit costs a remembered id one byte.
export const FREE = 0;
export const ACTIVE = 1;
export const DONE = 2;
// Dead, by reason; what is from FAILED on is dead.
export const FAILED = 3;
export const POISON = 4;
export const UNHANDLED = 5;

const NAMES = ['free', 'active', 'done'] as const;

/** The state of an event that is dead for this reason. */
export const DEAD_STATES: Readonly<Record<DeadReason, number>> = {
  failed: FAILED,
  poison: POISON,
  unhandled: UNHANDLED,
};

/** What a state is called. */
export function stateName(state: number): StoredEvent['state'] {
  return NAMES[state] ?? 'dead';
}

/** Why an event of this state is dead. */
export function reasonOf(state: number): DeadReason {
  if (state === UNHANDLED) return 'unhandled';
  return state === POISON ? 'poison' : 'failed';
}

/** For a WHERE in SQL: what is dead, and not for want of a handler, so that it is kept until somebody looks at it. */
export const GIVEN_UP = `state IN (${FAILED}, ${POISON})`;
