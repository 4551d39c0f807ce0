import type { TestProject } from 'vitest/node';
import { isListening, type OwnServer, programs, startPostgres, startRedis } from './servers.ts';

/** Where the tests find the databases; undefined where there is none. */
export interface Services {
  readonly postgres: string | undefined;
  readonly redis: string | undefined;
}

declare module 'vitest' {
  interface ProvidedContext {
    services: Services;
  }
}

const started: OwnServer[] = [];

/** Finds PostgreSQL and Redis: what the environment names, else what listens on the usual port, else one that is started here. */
export async function setup({ provide }: TestProject): Promise<void> {
  const { DATABASE_URL, REDIS_URL } = process.env;
  const postgres =
    DATABASE_URL ?? (await findOrStart(5432, 'postgres://postgres@127.0.0.1:5432/postgres', postgresHere));
  const redis = REDIS_URL ?? (await findOrStart(6379, 'redis://127.0.0.1:6379', redisHere));
  provide('services', { postgres, redis });
}

export async function teardown(): Promise<void> {
  for (const server of started.splice(0)) await server.dispose();
}

const postgresHere = programs.postgres === undefined ? undefined : startPostgres;
const redisHere = programs.redis === undefined ? undefined : startRedis;

async function findOrStart(
  port: number,
  url: string,
  start: (() => Promise<OwnServer>) | undefined,
): Promise<string | undefined> {
  if (await isListening(port)) return url;
  if (!start) return undefined;
  const server = await start();
  started.push(server);
  return server.url;
}
