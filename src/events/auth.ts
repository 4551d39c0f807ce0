import * as z from 'zod';
import { type EventDefinition, identifier } from './definition.ts';

/** A signed-in session. Inferred: the documentation speaks of "session details" and shows none. */
export interface Session {
  readonly id: string;
  readonly user_id?: string | undefined;
  readonly ip_address?: string | undefined;
  readonly user_agent?: string | undefined;
  /** ISO 8601. */
  readonly created_at?: string | undefined;
}

/** `data` of the authentication events, by type. */
export interface AuthEventData {
  readonly 'auth.login': { readonly session: Session };
  readonly 'auth.logout': { readonly session_id: string };
  readonly 'auth.password_changed': { readonly user_id: string };
  readonly 'auth.mfa_enabled': { readonly user_id: string; readonly method?: string | undefined };
  readonly 'auth.failed_attempts': { readonly user_id: string; readonly count: number };
}

/** The authentication events. */
export const authEvents = {
  /** Inferred: every field of the session. */
  'auth.login': {
    description: 'A user has logged in.',
    payload: 'Session details',
    documented: [],
    schema: () => z.looseObject({ session: sessionSchema() }),
  },
  /** Inferred: the documentation names the session's id and does not show it. */
  'auth.logout': {
    description: 'A user has logged out.',
    payload: 'Session ID',
    documented: [],
    schema: () => z.looseObject({ session_id: identifier() }),
  },
  /** Inferred: the documentation names the user's id and does not show it. */
  'auth.password_changed': {
    description: 'A user has a new password.',
    payload: 'User ID',
    documented: [],
    schema: () => z.looseObject({ user_id: identifier() }),
  },
  /** Inferred: the documentation names the user's id and does not show it; `method` is a guess. */
  'auth.mfa_enabled': {
    description: 'A user has turned multi-factor authentication on.',
    payload: 'User ID',
    documented: [],
    schema: () => z.looseObject({ user_id: identifier(), method: z.string().optional() }),
  },
  /** Inferred: the documentation names the user's id and the count and shows neither. */
  'auth.failed_attempts': {
    description: 'Logging in as a user has failed several times.',
    payload: 'User ID, count',
    documented: [],
    schema: () => z.looseObject({ user_id: identifier(), count: z.int().nonnegative() }),
  },
} satisfies { readonly [T in keyof AuthEventData]: EventDefinition<AuthEventData[T]> };

function sessionSchema() {
  return z.looseObject({
    id: z.string(),
    user_id: identifier().optional(),
    ip_address: z.string().optional(),
    user_agent: z.string().optional(),
    created_at: z.string().optional(),
  });
}
