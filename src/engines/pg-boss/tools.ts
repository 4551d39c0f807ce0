import type { EventRows } from '../postgres/events.ts';
import type { PostgresSession, Statement } from '../postgres/session.ts';
import type { Boss } from './boss.ts';
import type { queueStatements } from './sql.ts';

/** What all parts of a queue work with. */
export interface QueueTools {
  readonly session: PostgresSession;
  readonly sql: Readonly<Record<keyof ReturnType<typeof queueStatements>, Statement>>;
  readonly boss: Boss;
  /** The rows of the store. */
  readonly events: EventRows;
  /** The name of an event's row. */
  keyOf(key: string): string;
}
