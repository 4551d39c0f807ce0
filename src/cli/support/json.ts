type JsonRecord = Readonly<Record<string, unknown>>;

/** JSON as a value; `undefined` for what is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The members of an object in JSON; none for anything else. */
export function membersOf(json: string | Uint8Array): JsonRecord {
  const value = parseJson(typeof json === 'string' ? json : Buffer.from(json).toString('utf8'));
  return typeof value === 'object' && value !== null ? (value as JsonRecord) : {};
}

/** The names of an event. */
export interface EventNames {
  readonly id: string | undefined;
  readonly type: string | undefined;
}

/** The names of the event in a body, as far as it has them. */
export function namesIn(body: Uint8Array): EventNames {
  const { id, type } = membersOf(body);
  return { id: typeof id === 'string' ? id : undefined, type: typeof type === 'string' ? type : undefined };
}
