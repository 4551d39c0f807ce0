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
  return {
    store: {
      ...store,
      async claim(key, options) {
        const claim = await store.claim(key, options);
        if (claim.status === 'acquired' && tokens.has(key)) tokens.set(key, claim.token);
        return claim;
      },
    },
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
