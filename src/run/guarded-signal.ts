import { unheeded } from '../shared/guard.ts';

type Call = (this: unknown, event: Event) => unknown;
type Listener = Call | { handleEvent(event: Event): unknown };

/**
 * Puts the listeners of a signal behind a guard: one that throws, or rejects, would else end the process, since it is called
 * where nobody can catch that.
 *
 * @param failed - Told of what a listener threw.
 */
export function guardListeners(signal: AbortSignal, failed: (error: unknown) => void): void {
  const guards = new WeakMap<object, Call>();
  const add = signal.addEventListener.bind(signal) as (type: string, listener: Call | null, options?: object) => void;
  const remove = signal.removeEventListener.bind(signal) as typeof add;
  let onabort: Call | null = null;
  let onabortGuard: Call | null = null;

  function guard(listener: Listener): Call {
    return (event) => unheeded(() => callListener(listener, signal, event), failed);
  }

  // A listener has one guard, so that it is added once and can be removed.
  function guardOf(listener: Listener | null): Call | null {
    if (!listener) return listener;
    const known = guards.get(listener) ?? guard(listener);
    guards.set(listener, known);
    return known;
  }

  Object.defineProperties(signal, {
    addEventListener: {
      value: (type: string, listener: Listener | null, options?: object) => add(type, guardOf(listener), options),
    },
    removeEventListener: {
      value: (type: string, listener: Listener | null, options?: object) => remove(type, guardOf(listener), options),
    },
    onabort: {
      get: () => onabort,
      set(listener: unknown) {
        if (onabortGuard) remove('abort', onabortGuard);
        onabort = typeof listener === 'function' ? (listener as Call) : null;
        onabortGuard = onabort && guard(onabort);
        if (onabortGuard) add('abort', onabortGuard);
      },
    },
  });
}

function callListener(listener: Listener, signal: AbortSignal, event: Event): unknown {
  return typeof listener === 'function' ? listener.call(signal, event) : listener.handleEvent(event);
}
