import { ensureBuild } from '../scripts/ensure-build.ts';

/** The package as it ships: sources run through a loader would be timed with the loader's wrappers. */
export async function importBuilt(): Promise<typeof import('@pathfinder/webhooks')> {
  await ensureBuild();
  return import(new URL('../dist/index.js', import.meta.url).href);
}

/** Its stores and queues on SQLite, as they ship. */
export async function importBuiltSqlite(): Promise<typeof import('@pathfinder/webhooks/sqlite')> {
  await ensureBuild();
  return import(new URL('../dist/sqlite.js', import.meta.url).href);
}

/** The package's stores and queues on servers, as they ship. */
export async function importBuiltEngines() {
  await ensureBuild();
  const load = <T>(name: string) => import(new URL(`../dist/${name}.js`, import.meta.url).href) as Promise<T>;
  return {
    redis: await load<typeof import('@pathfinder/webhooks/redis')>('redis'),
    postgres: await load<typeof import('@pathfinder/webhooks/postgres')>('postgres'),
    bullmq: await load<typeof import('@pathfinder/webhooks/bullmq')>('bullmq'),
    pgBoss: await load<typeof import('@pathfinder/webhooks/pg-boss')>('pg-boss'),
  };
}
