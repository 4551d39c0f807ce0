import { HANDLER_ENDED, type HandlerEnded } from '../../report/channels.ts';

const MOST_REMEMBERED = 10_000;

/** A handler that ran. */
export interface HandlerRunRecord {
  readonly eventId: string;
  readonly eventType: string;
  readonly handlerName: string;
  readonly succeeded: boolean;
  /** Attempts in this run. */
  readonly attempts: number;
}

const records: HandlerRunRecord[] = [];
let dropped = 0;
let listening = false;

/** Begins to remember which handlers run, in this process, of whatever copy of the package. Returns a mark: the runs so far. */
export function markRuns(): number {
  if (!listening) {
    listening = true;
    const { subscribe } = process.getBuiltinModule('node:diagnostics_channel');
    subscribe(HANDLER_ENDED, (message) => remember(message as HandlerEnded));
  }
  return dropped + records.length;
}

/** The runs of an event since a mark. */
export function runsSince(mark: number, eventId: string | undefined): readonly HandlerRunRecord[] {
  return records.slice(Math.max(0, mark - dropped)).filter((record) => record.eventId === eventId);
}

function remember({ eventId, eventType, handlerName, status, runs }: HandlerEnded): void {
  if (status === 'waiting') return;
  records.push({ eventId, eventType, handlerName, succeeded: status === 'succeeded', attempts: runs });
  if (records.length <= MOST_REMEMBERED) return;
  records.shift();
  dropped++;
}
