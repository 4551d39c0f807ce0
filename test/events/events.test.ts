import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type * as z from 'zod';
import {
  expandPatterns,
  isWebhookEvent,
  isWebhookEventType,
  matchesPattern,
  type ReceivedWebhookEvent,
  WEBHOOK_EVENT_TYPES,
  type WebhookEventType,
  webhookEventDefinitions,
  webhookEventSchemas,
} from '../../src/events/index.ts';
import { nearestName } from '../../src/shared/nearest.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };
type Path = (string | number)[];

const NOT_NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', 'user', 'user.*', '*', 'User.Created'];

const user = {
  id: 'user_123',
  username: 'john_doe',
  email: 'john@example.com',
  first_name: 'John',
  last_name: 'Doe',
  roles: ['user'],
  created_at: '2024-03-01T10:00:00Z',
  updated_at: '2024-03-02T10:00:00Z',
};
const experience = {
  id: 'exp_789',
  user_id: 'user_123',
  title: 'Auditor',
  organization: 'Example LLP',
  description: 'Audited.',
  start_date: '2020-01-01',
  end_date: '2023-01-01',
  created_at: '2024-03-01T10:00:00Z',
  updated_at: '2024-03-02T10:00:00Z',
};
const session = {
  id: 'ses_1',
  user_id: 'user_123',
  ip_address: '192.0.2.1',
  user_agent: 'curl/8',
  created_at: '2024-03-01T10:00:00Z',
};
const resume = {
  id: 'res_1',
  user_id: 'user_123',
  format: 'pdf',
  title: 'CV',
  url: 'https://example.com/cv.pdf',
  created_at: '2024-03-01T10:00:00Z',
};
const analysis = {
  competencies: [{ area: 'Financial Reporting', level: 'Level 2', score: 0.85 }],
  recommendations: ['Add quantifiable achievements'],
};
const request = { id: 'apr_1', action: 'delete', requested_by: 'user_1', created_at: '2024-03-01T10:00:00Z' };
const alert = { id: 'alr_1', severity: 'high', message: 'Look', details: {} };

/** By type: the least that is valid, and everything that the SDK knows. */
const PAYLOADS: Record<WebhookEventType, readonly [least: JsonObject, full: JsonObject]> = {
  'user.created': [{ user: { id: 'user_123', username: 'john_doe', email: 'john@example.com' } }, { user }],
  'user.updated': [{ user: { id: 'user_123' } }, { user }],
  'user.deleted': [{ user_id: 'user_123' }, { user_id: 'user_123', metadata: {} }],
  'user.suspended': [{ user: { id: 'user_123' } }, { user, reason: 'spam' }],
  'user.activated': [{ user: { id: 'user_123' } }, { user }],
  'auth.login': [{ session: { id: 'ses_1' } }, { session }],
  'auth.logout': [{ session_id: 'ses_1' }, { session_id: 'ses_1' }],
  'auth.password_changed': [{ user_id: 'user_123' }, { user_id: 'user_123' }],
  'auth.mfa_enabled': [{ user_id: 'user_123' }, { user_id: 'user_123', method: 'totp' }],
  'auth.failed_attempts': [
    { user_id: 'user_123', count: 0 },
    { user_id: 'user_123', count: 5 },
  ],
  'experience.created': [{ experience: { id: 'exp_789' } }, { experience }],
  'experience.updated': [{ experience: { id: 'exp_789' } }, { experience }],
  'experience.deleted': [{ experience_id: 'exp_789' }, { experience_id: 'exp_789' }],
  'experience.analyzed': [
    { experience_id: 'exp_789', analysis: { competencies: [], recommendations: [] } },
    { experience_id: 'exp_789', analysis },
  ],
  'resume.generated': [{ resume: { id: 'res_1' } }, { resume }],
  'resume.downloaded': [
    { resume_id: 'res_1', format: 'pdf' },
    { resume_id: 'res_1', format: 'pdf' },
  ],
  'admin.role_changed': [
    { user_id: 'user_123', old_roles: [], new_roles: [] },
    { user_id: 'user_123', old_roles: ['user'], new_roles: ['user', 'admin'] },
  ],
  'admin.approval_required': [{ approval_request: { id: 'apr_1' } }, { approval_request: request }],
  'admin.audit_alert': [{ alert: {} }, { alert }],
};

/** By type: what is wrong though of the right JSON type, and the one place where. */
const WRONG: readonly (readonly [type: WebhookEventType, data: JsonObject, path: string])[] = [
  ['user.deleted', { user_id: '' }, 'user_id'],
  ['auth.login', { session: { id: 'ses_1', user_id: '' } }, 'session.user_id'],
  ['auth.logout', { session_id: '' }, 'session_id'],
  ['auth.password_changed', { user_id: '' }, 'user_id'],
  ['auth.mfa_enabled', { user_id: '' }, 'user_id'],
  ['auth.failed_attempts', { user_id: '', count: 1 }, 'user_id'],
  ['auth.failed_attempts', { user_id: 'user_123', count: -1 }, 'count'],
  ['auth.failed_attempts', { user_id: 'user_123', count: 1.5 }, 'count'],
  ['experience.created', { experience: { id: 'exp_789', user_id: '' } }, 'experience.user_id'],
  ['experience.updated', { experience: { id: 'exp_789', user_id: '' } }, 'experience.user_id'],
  ['experience.deleted', { experience_id: '' }, 'experience_id'],
  ['experience.analyzed', { experience_id: '', analysis }, 'experience_id'],
  ['resume.generated', { resume: { id: 'res_1', user_id: '' } }, 'resume.user_id'],
  ['resume.downloaded', { resume_id: '', format: 'pdf' }, 'resume_id'],
  ['admin.role_changed', { user_id: '', old_roles: [], new_roles: [] }, 'user_id'],
];

describe.each(WEBHOOK_EVENT_TYPES)('the schema of %s', (type) => {
  const [least, full] = PAYLOADS[type];

  test('accepts payloads from the minimal to the complete one unchanged', () => {
    expect([check(type, least), check(type, full)]).toEqual([{ value: least }, { value: full }]);
  });

  test('requires each field of the minimal payload', () => {
    const required = pathsOf(least);
    expect(required.map((path) => check(type, without(least, path)))).toEqual(required.map((path) => wrongAt(path)));
  });

  test('requires no other field', () => {
    const required = pathsOf(least).map(String);
    const optional = pathsOf(full).filter(
      (path) => !required.includes(String(path)) && typeof path.at(-1) === 'string',
    );
    const partial = optional.filter((path) => !path.includes(0)).map((path) => without(full, path));
    expect(partial.map((data) => check(type, data))).toEqual(partial.map((value) => ({ value })));
  });

  test('names the one field of a wrong type and converts nothing', () => {
    const changed = pathsOf(full).flatMap((path) => {
      const others = valuesOfOtherTypes(at(full, path));
      // Only the end of an experience may be null.
      const wrong = path.at(-1) === 'end_date' ? others.filter((value) => value !== null) : others;
      return wrong.map((value) => ({ path, data: replaced(full, path, value) }));
    });
    expect(changed.map(({ data }) => check(type, data))).toEqual(changed.map(({ path }) => wrongAt(path)));
  });

  test('requires data to be an object', () => {
    const values: Json[] = [null, [], [full], 'text', 1, true];
    expect(values.map((value) => check(type, value))).toEqual(values.map(() => wrongAt([])));
  });

  test('keeps unknown fields at every level', () => {
    const levels: Path[] = [[], ...pathsOf(full).filter((path) => isObject(at(full, path)))];
    const name = fc.string().filter((key) => key !== '__proto__');
    fc.assert(
      fc.property(fc.constantFrom(...levels), fc.dictionary(name, fc.jsonValue()), (path, fields) => {
        const known = at(full, path) as JsonObject;
        const data = replaced(full, path, { ...(fields as JsonObject), ...known });
        expect(check(type, data)).toEqual({ value: data });
      }),
      { numRuns: 50 },
    );
  });

  test('has a description, and documented fields that its schema knows', () => {
    const { description, documented } = webhookEventDefinitions[type];
    expect(description).toMatch(/^[A-Z].+\.$/);
    expect(leavesOf(full)).toEqual(expect.arrayContaining([...documented]));
  });
});

test.each(WRONG)('the schema of %s rejects %j at %s', (type, data, path) => {
  expect(check(type, data)).toEqual(wrongAt(path.split('.')));
});

test('the schema of experiences accepts an ongoing experience with a null or absent end', () => {
  const lasting = { experience: { ...experience, end_date: null } };
  expect(check('experience.created', lasting)).toEqual({ value: lasting });
});

test('exactly the fields shown in the documentation are marked as documented', () => {
  const { updated_at: _inferred, ...shown } = user;
  const documented = Object.fromEntries(
    Object.entries(webhookEventDefinitions).flatMap(([type, { documented }]) =>
      documented.length > 0 ? [[type, documented]] : [],
    ),
  );
  expect(documented).toEqual({
    'user.created': leavesOf({ user: shown }),
    'experience.analyzed': leavesOf({ experience_id: 'exp_789', analysis }),
  });
});

test('only the two update events declare previous attributes', () => {
  const known = Object.entries(webhookEventDefinitions).map(([type, { previousAttributes }]) => [
    type,
    previousAttributes,
  ]);
  expect(known.filter(([, object]) => object)).toEqual([
    ['user.updated', 'User'],
    ['experience.updated', 'Experience'],
  ]);
});

describe('the event registry', () => {
  test('lists the nineteen names in documented order, each with a definition and a schema', () => {
    expect(WEBHOOK_EVENT_TYPES).toHaveLength(19);
    expect(Object.keys(webhookEventDefinitions)).toEqual([...WEBHOOK_EVENT_TYPES]);
    expect(Object.keys(webhookEventSchemas)).toEqual([...WEBHOOK_EVENT_TYPES]);
    expect(Object.keys(PAYLOADS)).toEqual([...WEBHOOK_EVENT_TYPES]);
  });

  test('has no schema under an unknown name', () => {
    const schemas = webhookEventSchemas as unknown as Record<string, unknown>;
    expect(NOT_NAMES.map((name) => schemas[name])).toEqual(NOT_NAMES.map(() => undefined));
  });

  test('is immutable', () => {
    expect(Object.isFrozen(webhookEventSchemas)).toBe(true);
    expect(Reflect.set(webhookEventSchemas, 'own.event', {})).toBe(false);
  });

  test('builds each schema once, when it is first read', async () => {
    let built = 0;
    vi.resetModules();
    vi.doMock('zod', async (importOriginal) => {
      const zod = await importOriginal<typeof z>();
      const counted = Object.entries(zod).map(([name, value]) => [
        name,
        typeof value === 'function' && /^[a-z]/.test(name) ? counting(value) : value,
      ]);
      return Object.fromEntries(counted);
    });
    function counting(build: unknown) {
      return (...args: unknown[]) => {
        built += 1;
        return (build as (...args: unknown[]) => unknown)(...args);
      };
    }
    const { webhookEventSchemas: fresh } = await import('../../src/events/index.ts');
    const onImport = built;
    const first = fresh['auth.logout'];
    const onFirstRead = built;
    const second = fresh['auth.logout'];
    expect({ onImport, onFirstRead, later: built - onFirstRead, same: first === second }).toEqual({
      onImport: 0,
      onFirstRead: 2,
      later: 0,
      same: true,
    });
    vi.doUnmock('zod');
  });
});

describe('isWebhookEvent and isWebhookEventType', () => {
  test('accept the nineteen names', () => {
    expect(WEBHOOK_EVENT_TYPES.filter(isWebhookEventType)).toEqual([...WEBHOOK_EVENT_TYPES]);
    expect(WEBHOOK_EVENT_TYPES.filter((type) => isWebhookEvent(eventOf(type)))).toEqual([...WEBHOOK_EVENT_TYPES]);
  });

  test('reject any other name, also those of Object.prototype', () => {
    expect(NOT_NAMES.filter(isWebhookEventType)).toEqual([]);
    expect(NOT_NAMES.filter((type) => isWebhookEvent(eventOf(type)))).toEqual([]);
    fc.assert(
      fc.property(fc.string(), (name) => {
        expect(isWebhookEventType(name)).toBe((WEBHOOK_EVENT_TYPES as readonly string[]).includes(name));
      }),
    );
  });

  test('reject an array that holds a name', () => {
    expect(isWebhookEventType(['user.created'] as unknown as string)).toBe(false);
  });

  test('distinguish one known name from another', () => {
    expect([
      isWebhookEvent(eventOf('user.created'), 'user.created'),
      isWebhookEvent(eventOf('user.created'), 'user.updated'),
      isWebhookEvent(eventOf('user.merged'), 'user.merged' as WebhookEventType),
    ]).toEqual([true, false, false]);
  });

  test('filter a list', () => {
    const events = [eventOf('user.created'), eventOf('user.merged'), eventOf('auth.login')];
    expect(events.filter(isWebhookEvent)).toEqual([events[0], events[2]]);
  });
});

describe('event patterns', () => {
  test.each<[pattern: string, type: string, isKnown: boolean, matches: boolean]>([
    ['*', 'user.created', true, true],
    ['*', 'user.merged', false, true],
    ['user.created', 'user.created', true, true],
    ['user.created', 'user.updated', true, false],
    ['user.merged', 'user.merged', false, true],
    ['user.*', 'user.created', true, true],
    ['user.*', 'user.merged', false, false],
    ['user.*', 'user.merged', true, true],
    ['user.*', 'users.created', true, false],
    ['user.*', 'user', true, false],
    ['user.*', 'auth.login', true, false],
    ['user.*', 'user.*', false, false],
    ['billing.*', 'billing.invoice.paid', true, true],
    ['billing.invoice.*', 'billing.invoice.paid', true, true],
    ['billing.invoice.*', 'billing.refund', true, false],
    ['user.', 'user.created', true, false],
    ['us*', 'user.created', true, false],
  ])('pattern %s for %s, known: %s, match: %s', (pattern, type, isKnown, matches) => {
    expect(matchesPattern(pattern, type, isKnown)).toBe(matches);
  });

  test('with a prefix match exactly the known types that start with it', () => {
    const word = fc.constantFrom('a', 'b', 'ab');
    const name = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join('.'));
    fc.assert(
      fc.property(name, name, fc.boolean(), (prefix, type, isKnown) => {
        const below = type.split('.').slice(0, prefix.split('.').length).join('.') === prefix && type !== prefix;
        expect(matchesPattern(`${prefix}.*`, type, isKnown)).toBe(below && isKnown);
      }),
    );
  });

  test.each<[patterns: string[], ownTypes: string[], expanded: readonly string[]]>([
    [[], ['user.merged'], []],
    [['*'], [], WEBHOOK_EVENT_TYPES],
    [['*'], ['user.merged'], [...WEBHOOK_EVENT_TYPES, 'user.merged']],
    [['*'], ['user.created'], WEBHOOK_EVENT_TYPES],
    [['resume.*', 'auth.login', 'auth.login'], [], ['auth.login', 'resume.generated', 'resume.downloaded']],
    [['admin.audit_alert', 'billing.*'], ['billing.paid'], ['admin.audit_alert', 'billing.paid']],
    [['user.merged', 'nobody.*'], [], []],
  ])('%j with own types %j expand to %j', (patterns, ownTypes, expanded) => {
    expect(expandPatterns(patterns, ownTypes)).toEqual(expanded);
  });

  test('expand to each matching known name once', () => {
    const pattern = fc.constantFrom(...WEBHOOK_EVENT_TYPES, 'user.*', 'auth.*', 'own.*', '*', 'no.such');
    const own = fc.array(fc.constantFrom('own.a', 'own.b', 'user.merged', 'auth.login'));
    fc.assert(
      fc.property(fc.array(pattern), own, (patterns, ownTypes) => {
        const expanded = expandPatterns(patterns, ownTypes);
        const known = new Set([...WEBHOOK_EVENT_TYPES, ...ownTypes]);
        const wanted = [...known].filter((type) => patterns.some((each) => matchesPattern(each, type, true)));
        expect(expanded).toEqual(wanted);
      }),
    );
  });
});

describe('the nearest name', () => {
  test.each<[name: string, nearest: string | undefined]>([
    ['user.create', 'user.created'],
    ['user_created', 'user.created'],
    ['userCreated', 'user.created'],
    ['user.craeted', 'user.created'],
    ['User.Created', 'user.created'],
    ['experience.analysed', 'experience.analyzed'],
    ['auth.logni', 'auth.login'],
    ['auth.logut', 'auth.logout'],
    ['user.updated', 'user.updated'],
    ['user', undefined],
    ['invoice.paid', undefined],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ])('to %s is %s', (name, nearest) => {
    expect(nearestName(name, WEBHOOK_EVENT_TYPES)).toBe(nearest);
  });

  test('is the first of several equally near ones', () => {
    expect(nearestName('own.c', ['own.a', 'own.b'])).toBe('own.a');
    expect(nearestName('own.bc', ['own.a', 'own.b'])).toBe('own.b');
    expect(nearestName('own.a', [])).toBeUndefined();
  });

  test('is suggested for up to three typos', () => {
    expect(nearestName('user.creXXX', ['user.created'])).toBeUndefined();
    expect(nearestName('user.creaXXX', ['user.created'])).toBe('user.created');
    expect(nearestName('XXXXuser.created', ['user.created'])).toBeUndefined();
    expect(nearestName('XXXuser.created', ['user.created'])).toBe('user.created');
  });

  test('agrees with a full edit distance table', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 });
    fc.assert(
      fc.property(name, fc.array(name, { maxLength: 5 }), (misspelt, names) => {
        const distances = names.map((each) => distanceOf(misspelt, each));
        const least = Math.min(...distances);
        expect(nearestName(misspelt, names)).toBe(least <= 3 ? names[distances.indexOf(least)] : undefined);
      }),
      { numRuns: 1000 },
    );
  });

  test('is found for any three typos', () => {
    const mistake = fc.record({
      place: fc.nat(),
      drop: fc.integer({ min: 0, max: 1 }),
      add: fc.constantFrom('', 'x', '.'),
    });
    const mistakes = fc.array(mistake, { maxLength: 3 });
    fc.assert(
      fc.property(fc.constantFrom(...WEBHOOK_EVENT_TYPES), mistakes, (type, made) => {
        const misspelt = made.reduce((name, { place, drop, add }) => {
          const start = place % (name.length + 1);
          return name.slice(0, start) + add + name.slice(start + drop);
        }, type as string);
        expect(nearestName(misspelt, [type])).toBe(type);
      }),
    );
  });
});

/** The textbook's table. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [i, char] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const [left = 0, above = 0, diagonal = 0] = [next[j], row[j + 1], row[j]];
      next.push(Math.min(left + 1, above + 1, diagonal + (char === other ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

function eventOf(type: string): ReceivedWebhookEvent {
  return { id: 'evt_1', type, api_version: '1.0', created: 1_709_280_000, data: {} };
}

/** What the schema of `type` makes of `data`: the value, or the places that are wrong. */
function check(type: WebhookEventType, data: unknown) {
  const before = structuredClone(data);
  const schema: z.ZodType = webhookEventSchemas[type];
  const result = schema.safeParse(data);
  expect(data).toEqual(before);
  if (result.success) return { value: result.data };
  // An empty list where an identifier belongs is of the wrong type and too short: one place, two issues.
  const places = new Map(result.error.issues.map(({ path }) => [path.join('.'), path]));
  return { wrong: [...places.values()] };
}

function wrongAt(path: Path) {
  return { wrong: [path] };
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The paths of all values within `value`, of an array's items only the first. */
function pathsOf(value: Json | undefined, parent: Path = []): Path[] {
  if (Array.isArray(value))
    return value.slice(0, 1).flatMap((item) => [[...parent, 0], ...pathsOf(item, [...parent, 0])]);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, field]) => [[...parent, key], ...pathsOf(field, [...parent, key])]);
}

/** The paths of the leaves, as definitions write them: a list of strings is a leaf. */
function leavesOf(value: JsonObject, parent = ''): string[] {
  return Object.entries(value).flatMap(([key, field]) => {
    if (isObject(field)) return leavesOf(field, `${parent}${key}.`);
    const item = Array.isArray(field) ? field[0] : undefined;
    return isObject(item) ? leavesOf(item, `${parent}${key}[].`) : [`${parent}${key}`];
  });
}

function at(value: Json, path: Path): Json | undefined {
  return path.reduce<Json | undefined>((inner, key) => (inner as JsonObject | undefined)?.[key], value);
}

function replaced(value: Json, path: Path, replacement: Json): Json {
  const [key, ...rest] = path;
  if (key === undefined) return replacement;
  const copy = structuredClone(value) as JsonObject;
  copy[key] = replaced(copy[key] ?? null, rest, replacement);
  return copy;
}

function without(value: JsonObject, path: Path): JsonObject {
  const copy = structuredClone(value);
  const parent = at(copy, path.slice(0, -1)) as JsonObject;
  delete parent[path.at(-1) ?? ''];
  return copy;
}

/** A value of each JSON type but that of `value`. */
function valuesOfOtherTypes(value: Json | undefined): Json[] {
  const kind = (each: Json | undefined) => (each === null ? 'null' : Array.isArray(each) ? 'array' : typeof each);
  const samples: Json[] = [null, true, 0, '0', [], {}];
  return samples.filter((sample) => kind(sample) !== kind(value));
}
