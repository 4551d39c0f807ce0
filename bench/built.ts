import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { ensureBuild } from '../test/support/build.ts';

let copies = 0;

/** The package as it ships: sources run through a loader would be timed with the loader's wrappers. */
export async function importBuilt(): Promise<typeof import('@pathfinder/webhooks')> {
  await ensureBuild();
  return import(new URL('../dist/index.js', import.meta.url).href);
}

/**
 * A copy that nobody else has called, so that the engine optimises it for this use alone.
 *
 * @param channels - Whether it finds `node:diagnostics_channel`, which not every runtime has.
 */
export async function importBuiltCopy({ channels }: { readonly channels: boolean }) {
  await ensureBuild();
  const root = new URL('..', import.meta.url);
  const copy = new URL(`node_modules/.bench-${process.pid}-${copies++}/`, root);
  const { getBuiltinModule } = process;
  const load = <T>(file: string) => import(new URL(`dist/${file}.js`, copy).href) as Promise<T>;
  mkdirSync(copy, { recursive: true });
  try {
    cpSync(new URL('dist', root), new URL('dist', copy), { recursive: true });
    cpSync(new URL('package.json', root), new URL('package.json', copy));
    process.getBuiltinModule = ((name: string) =>
      name === 'node:diagnostics_channel' && !channels ? undefined : getBuiltinModule(name)) as typeof getBuiltinModule;
    const core = await load<typeof import('@pathfinder/webhooks')>('index');
    return { ...core, ...(await load<typeof import('@pathfinder/webhooks/otel')>('otel')) };
  } finally {
    process.getBuiltinModule = getBuiltinModule;
    rmSync(copy, { recursive: true, force: true });
  }
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
