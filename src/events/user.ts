import * as z from 'zod';
import { anyObject, type EventDefinition, identifier } from './definition.ts';

/**
 * A Pathfinder user. The documentation shows all fields but `updated_at`, which is inferred; it does not say which of
 * them are always there, so only `id` is taken for granted.
 */
export interface User {
  readonly id: string;
  readonly username?: string | undefined;
  readonly email?: string | undefined;
  readonly first_name?: string | undefined;
  readonly last_name?: string | undefined;
  /** E.g. `['user']`. */
  readonly roles?: readonly string[] | undefined;
  /** ISO 8601, e.g. `2024-03-01T10:00:00Z`. */
  readonly created_at?: string | undefined;
  /** ISO 8601. */
  readonly updated_at?: string | undefined;
}

/** The user of `user.created`, whose `username` and `email` the documentation shows in every example. */
export interface CreatedUser extends User {
  readonly username: string;
  readonly email: string;
}

/** `data` of the user events, by type. */
export interface UserEventData {
  readonly 'user.created': { readonly user: CreatedUser };
  readonly 'user.updated': { readonly user: User };
  readonly 'user.deleted': { readonly user_id: string; readonly metadata?: Record<string, unknown> | undefined };
  readonly 'user.suspended': { readonly user: User; readonly reason?: string | undefined };
  readonly 'user.activated': { readonly user: User };
}

/** The user events. */
export const userEvents = {
  /** The documentation shows this payload in full; this package adds only the optional `user.updated_at`. */
  'user.created': {
    description: 'Somebody has registered, and the account exists.',
    payload: 'User object',
    documented: [
      'user.id',
      'user.username',
      'user.email',
      'user.first_name',
      'user.last_name',
      'user.roles',
      'user.created_at',
    ],
    schema: () => z.looseObject({ user: createdUserSchema() }),
  },
  /** Inferred, after `user.created`. */
  'user.updated': {
    description: "A user's profile has changed; `previous_attributes` tells from what.",
    payload: 'User object with changes',
    documented: [],
    previousAttributes: 'User',
    schema: () => z.looseObject({ user: userSchema() }),
  },
  /** Inferred: the documentation names the id and "metadata", and shows neither. */
  'user.deleted': {
    description: "A user's account has been deleted.",
    payload: 'User ID and metadata',
    documented: [],
    schema: () => z.looseObject({ user_id: identifier(), metadata: anyObject().optional() }),
  },
  /** Inferred, after `user.created`; the documentation names the reason and does not show it. */
  'user.suspended': {
    description: "A user's account has been suspended.",
    payload: 'User object with reason',
    documented: [],
    schema: () => z.looseObject({ user: userSchema(), reason: z.string().optional() }),
  },
  /** Inferred, after `user.created`. */
  'user.activated': {
    description: "A user's account has been activated.",
    payload: 'User object',
    documented: [],
    schema: () => z.looseObject({ user: userSchema() }),
  },
} satisfies { readonly [T in keyof UserEventData]: EventDefinition<UserEventData[T]> };

function userSchema() {
  return z.looseObject({
    id: z.string(),
    username: z.string().optional(),
    email: z.string().optional(),
    first_name: z.string().optional(),
    last_name: z.string().optional(),
    roles: z.array(z.string()).optional(),
    created_at: z.string().optional(),
    updated_at: z.string().optional(),
  });
}

function createdUserSchema() {
  return userSchema().extend({ username: z.string(), email: z.string() });
}
