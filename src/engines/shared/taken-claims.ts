import type { WebhookStore } from '../../index.ts';

/** The claims on what this process has taken from its queue, so that a worker that is stopped can give them back. */
export interface TakenClaims {
  /** The store, which notes who claims what was taken. */
  readonly store: WebhookStore;
  begin(key: string): void;
  /** Forgets the key; gives its token if it was claimed. */
  end(key: string): string | undefined;
}

export function noteClaims(store: WebhookStore): TakenClaims {
  const tokens = new Map<string, string | undefined>();
  const claim: WebhookStore['claim'] = async (key, options) => {
    const answer = await store.claim(key, options);
    if (answer.status === 'acquired' && tokens.has(key)) tokens.set(key, answer.token);
    return answer;
  };
  return {
    store: withClaim(store, claim),
    begin(key) {
      tokens.set(key, undefined);
    },
    end(key) {
      const token = tokens.get(key);
      tokens.delete(key);
      return token;
    },
  };
}

/** The store with another `claim`. Everything else is asked of the store itself, which may be an object of a class. */
function withClaim(store: WebhookStore, claim: WebhookStore['claim']): WebhookStore {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'claim') return claim;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
