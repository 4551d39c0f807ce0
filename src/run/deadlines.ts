/** Something due at a time of the monotonic clock. */
export interface Alarm {
  /** Milliseconds of `performance.now()`. */
  dueMs: number;
  /** Called when due, as a method. Sets a later `dueMs` to be called again, else the alarm is forgotten. */
  ring(nowMs: number): void;
  /** Its neighbours while it is set: for {@link Alarms} alone. */
  before?: Alarm | undefined;
  after?: Alarm | undefined;
}

export interface Alarms {
  add(alarm: Alarm): void;
  remove(alarm: Alarm): void;
}

/**
 * Deadlines and heartbeats of any number of events on one timer: setting and clearing a timer for each would cost a
 * delivery more than its bookkeeping. The timer does not keep the process alive. A linked list, since a Set that is
 * filled and emptied by each delivery allocates each time.
 */
export function createAlarms(): Alarms {
  const ends: Alarm = { dueMs: 0, ring: () => undefined };
  ends.before = ends;
  ends.after = ends;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let armedForMs = Number.POSITIVE_INFINITY;

  function arm(dueMs: number): void {
    if (dueMs >= armedForMs) return;
    clearTimeout(timer);
    armedForMs = dueMs;
    timer = setTimeout(ringDue, Math.max(0, Math.ceil(dueMs - performance.now())));
    // A number where timers are the web's.
    if (typeof timer === 'object') timer.unref?.();
  }

  function ringDue(): void {
    armedForMs = Number.POSITIVE_INFINITY;
    const nowMs = performance.now();
    let nextMs = Number.POSITIVE_INFINITY;
    // A copy: one that rings may end others.
    for (const alarm of all()) {
      if (isSet(alarm) && alarm.dueMs <= nowMs) alarm.ring(nowMs);
      if (!isSet(alarm)) continue;
      if (alarm.dueMs <= nowMs) remove(alarm);
      else nextMs = Math.min(nextMs, alarm.dueMs);
    }
    if (nextMs !== Number.POSITIVE_INFINITY) arm(nextMs);
  }

  function all(): Alarm[] {
    const alarms: Alarm[] = [];
    for (let alarm = ends.after; alarm && alarm !== ends; alarm = alarm.after) alarms.push(alarm);
    return alarms;
  }

  function remove(alarm: Alarm): void {
    const { before, after } = alarm;
    if (!before || !after) return;
    before.after = after;
    after.before = before;
    alarm.before = undefined;
    alarm.after = undefined;
  }

  return {
    add(alarm) {
      const last = ends.before ?? ends;
      alarm.before = last;
      alarm.after = ends;
      last.after = alarm;
      ends.before = alarm;
      arm(alarm.dueMs);
    },
    remove,
  };
}

function isSet(alarm: Alarm): boolean {
  return alarm.after !== undefined;
}
