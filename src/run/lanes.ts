import { within } from '../shared/time.ts';

/** What a worker waits before it takes an event up again whose lane is not free. */
export const LANE_RETRY_MS = 200;
// A process that has had a lane for so long lets others have a chance before it goes on: they ask for it every 50 ms.
const SHARE_AFTER_MS = 1000;
const SHARE_MS = 75;
// Events that wait stay in memory with their bytes: at most so many of them, and so many bytes.
const MOST_WAITING = 1000;
const MOST_WAITING_BYTES = 16 * 1024 * 1024;

/** A place in the line of a lane: its holder's, or one behind it. */
export interface Place {
  /** Whether nobody in this process is before it. */
  readonly isFirst: boolean;
  /** Waits until it is; false when the signal aborts, or after so many milliseconds. */
  turn(signal: AbortSignal, mostMs: number): Promise<boolean>;
  /** Gives the place up, and the turn to the next. */
  leave(): void;
}

interface Line {
  /** Those who have the lane or wait for it, in the order in which they came. */
  readonly places: LinePlace[];
  /** Since when it is in use without a pause. */
  sinceMs: number;
  /** When the last one left, and how long each of them took of late. */
  leftAtMs: number;
  meanMs: number;
  /** Up to when its time is given to events that had to be sent away. */
  takenUntilMs: number;
}

/**
 * The lines before the lanes of handlers, so that events of one lane neither race for it nor claim again and again: within a
 * process they have their turns in the order in which they came.
 */
export class Lanes {
  readonly #lines = new Map<string, Line>();
  /** Whether other processes may want the same lanes. */
  readonly #shared: boolean;
  #waiting = 0;
  #waitingBytes = 0;

  constructor(shared: boolean) {
    this.#shared = shared;
  }

  /**
   * Takes a place in a line.
   *
   * @param bytes - What the event keeps in memory while it waits.
   * @param room - Whether it may wait: `always`, `never`, or as long as there is `some` room. Where there is none the event is
   *   sent away: what is returned is for how long.
   */
  enter(key: string, bytes: number, room: 'always' | 'some' | 'never'): Place | number {
    const nowMs = performance.now();
    const line = this.#lines.get(key) ?? this.#openLine(key, nowMs);
    const waits = line.places.length > 0;
    if (waits && !this.#hasRoom(bytes, room)) return sendAway(line, nowMs);
    const place = new LinePlace(this, key, line, waits ? bytes : 0);
    line.places.push(place);
    if (waits) this.#waiting++;
    this.#waitingBytes += place.bytes;
    return place;
  }

  #hasRoom(bytes: number, room: 'always' | 'some' | 'never'): boolean {
    const isLittle = this.#waiting < MOST_WAITING && this.#waitingBytes + bytes <= MOST_WAITING_BYTES;
    return room === 'always' || (room === 'some' && isLittle);
  }

  /** A place is given up. */
  leave(key: string, line: Line, place: LinePlace): void {
    const at = line.places.indexOf(place);
    if (at === -1) return;
    line.places.splice(at, 1);
    if (line.places.length > 0) this.#waiting--;
    this.#waitingBytes -= place.bytes;
    if (at > 0) return;
    const nowMs = performance.now();
    line.meanMs += (nowMs - line.leftAtMs - line.meanMs) / 8;
    line.leftAtMs = nowMs;
    const [next] = line.places;
    if (!next) this.#lines.delete(key);
    else if (this.#shared && nowMs - line.sinceMs > SHARE_AFTER_MS) {
      setTimeout(() => {
        line.sinceMs = performance.now();
        line.leftAtMs = line.sinceMs;
        line.places[0]?.call();
      }, SHARE_MS);
    } else next.call();
  }

  #openLine(key: string, nowMs: number): Line {
    const line: Line = { places: [], sinceMs: nowMs, leftAtMs: nowMs, meanMs: 0, takenUntilMs: nowMs };
    this.#lines.set(key, line);
    return line;
  }
}

// Events that are sent away come back one after the other, each when half of those before it should be done: there is room for it
// by then, and a lane whose events took longer at first does not stand empty.
function sendAway(line: Line, nowMs: number): number {
  const paceMs = line.meanMs / 2;
  const turnMs = Math.max(nowMs + line.places.length * paceMs, line.takenUntilMs);
  line.takenUntilMs = turnMs + paceMs;
  return Math.max(LANE_RETRY_MS, turnMs - nowMs);
}

class LinePlace implements Place {
  readonly #lanes: Lanes;
  readonly #key: string;
  readonly #line: Line;
  /** What it counts for among those that wait; it goes on counting until it leaves. */
  readonly bytes: number;
  /** Nobody is before it, and it may take the lane. */
  #called: boolean;
  #onCall: (() => void) | undefined;

  constructor(lanes: Lanes, key: string, line: Line, bytes: number) {
    this.#lanes = lanes;
    this.#key = key;
    this.#line = line;
    this.bytes = bytes;
    this.#called = line.places.length === 0;
  }

  get isFirst(): boolean {
    return this.#called;
  }

  call(): void {
    this.#called = true;
    this.#onCall?.();
  }

  async turn(signal: AbortSignal, mostMs: number): Promise<boolean> {
    if (this.#called || signal.aborted) return this.#called;
    const decided = new Promise<void>((resolve) => {
      this.#onCall = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await within(Math.max(0, mostMs), decided, () => undefined);
    return this.#called && !signal.aborted;
  }

  leave(): void {
    this.#lanes.leave(this.#key, this.#line, this);
  }
}
