/** Something due at a time of the monotonic clock. */
export interface Alarm {
  /** Milliseconds of `performance.now()`. */
  dueMs: number;
  /** Called when due, as a method. Sets a later `dueMs` to be called again, else the alarm is forgotten. */
  ring(nowMs: number): void;
}

export interface Alarms {
  add(alarm: Alarm): void;
  remove(alarm: Alarm): void;
}

/**
 * Deadlines and heartbeats of any number of events on one timer: setting and clearing a timer for each would cost a
 * delivery more than its bookkeeping. The timer does not keep the process alive.
 */
export function createAlarms(): Alarms {
  const pending = new Set<Alarm>();
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
    for (const alarm of pending) {
      if (alarm.dueMs <= nowMs) alarm.ring(nowMs);
      if (alarm.dueMs <= nowMs) pending.delete(alarm);
      else nextMs = Math.min(nextMs, alarm.dueMs);
    }
    if (nextMs !== Number.POSITIVE_INFINITY) arm(nextMs);
  }

  return {
    add(alarm) {
      pending.add(alarm);
      arm(alarm.dueMs);
    },
    remove(alarm) {
      pending.delete(alarm);
    },
  };
}
