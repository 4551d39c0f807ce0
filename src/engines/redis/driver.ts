import { createHash } from 'node:crypto';
import { check } from '../../shared/check.ts';
import { asking, withoutArguments } from '../shared/without-arguments.ts';

/** A client of `ioredis` 5.4 or later, or its `Cluster`. */
export interface IoRedisClient {
  /** Runs a script that the server has seen. */
  evalsha(sha: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>;
  /** Runs a script. */
  eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>;
  /** Asks the server what it is. */
  info(): Promise<string>;
  /** Is told when the connection breaks. */
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** A client of `redis` 5 or later (node-redis), or its cluster. */
export interface NodeRedisClient {
  /** Runs a script that the server has seen. */
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  /** Runs a script. */
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  /** Is told when the connection breaks. */
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** A client that is connected, or connects by itself. */
export type RedisClient = IoRedisClient | NodeRedisClient;

/** A script, and the name that a server has for it once it has seen it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** What the store asks of either client. */
export interface RedisPort {
  /** Runs a script on one key, so that a cluster knows where. Keys and arguments are data, never part of the script. */
  call(script: Script, key: string, ...values: readonly (string | number)[]): Promise<unknown>;
  /** What the server says of itself; undefined where it is not to be asked. */
  info(): Promise<string | undefined>;
}

export function scripts<T extends Readonly<Record<string, string>>>(texts: T): Readonly<Record<keyof T, Script>> {
  const named = Object.entries(texts).map(([name, text]) => {
    return [name, { text, sha: createHash('sha1').update(text).digest('hex') }] as const;
  });
  return Object.fromEntries(named) as Record<keyof T, Script>;
}

/** @throws TypeError for what is neither client. */
export function portOf(of: string, client: RedisClient): RedisPort {
  const given = (Object(client) ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof given.evalsha === 'function') return ioRedisPort(client as IoRedisClient);
  check(
    typeof given.evalSha === 'function',
    `The first argument of ${of}`,
    'a client of ioredis 5.4 (`npm install ioredis`) or of redis 5 (`npm install redis`), or later',
  );
  return nodeRedisPort(client as NodeRedisClient);
}

function ioRedisPort(client: IoRedisClient): RedisPort {
  return {
    call: (script, key, ...values) =>
      withScript(
        () => client.evalsha(script.sha, 1, key, ...values.map(String)),
        () => client.eval(script.text, 1, key, ...values.map(String)),
      ),
    info: () => client.info(),
  };
}

function nodeRedisPort(client: NodeRedisClient): RedisPort {
  const given = client as Partial<{ info(): Promise<unknown> }>;
  return {
    call(script, key, ...values) {
      const options = { keys: [key], arguments: values.map(String) };
      return withScript(
        () => client.evalSha(script.sha, options),
        () => client.eval(script.text, options),
      );
    },
    // A cluster has no server of its own to ask.
    info: async () => (given.info ? String(await given.info()) : undefined),
  };
}

// A server that was started anew has forgotten the scripts that it was sent.
async function withScript(byName: () => Promise<unknown>, byText: () => Promise<unknown>): Promise<unknown> {
  try {
    return await byName();
  } catch (error) {
    if (!String((error as Error | null)?.message).startsWith('NOSCRIPT')) throw withoutArguments(error);
    return asking(byText);
  }
}
