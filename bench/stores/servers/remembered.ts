import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { WebhookStore } from '@pathfinder/webhooks';
import { importBuiltEngines, importBuiltSqlite } from '../../built.ts';
import type { Gate } from '../../harness.ts';
import { storeRacer } from '../claims.ts';
import { inFolder } from '../files.ts';
import { onPostgres, onRedis, SILENT } from './places.ts';

const IDS = 50_000;
const AT_A_TIME = 100;

/** The cost of an id that is remembered as done, on each store: indexes, names and all. */
export async function benchRemembered(): Promise<Gate[]> {
  const { redis, postgres } = await importBuiltEngines();
  const { sqliteStore } = await importBuiltSqlite();
  console.log(`\nBytes for each of ${IDS.toLocaleString('en')} remembered ids of 30 characters`);

  const onRedisServer = await onRedis();
  const used = async () => Number(/used_memory:(\d+)/.exec(await onRedisServer.client.info('memory'))?.[1]);
  const before = await used();
  await remember(redis.redisStore(onRedisServer.client, { logger: SILENT }));
  print('redisStore', (await used()) - before);
  await onRedisServer.dispose();

  const onPostgresServer = await onPostgres();
  await remember(postgres.postgresStore(onPostgresServer.pool, { logger: SILENT }));
  await onPostgresServer.pool.query('VACUUM pathfinder_webhook_event');
  const size = "SELECT pg_total_relation_size('pathfinder_webhook_event')::float8 AS bytes";
  print('postgresStore', ((await onPostgresServer.pool.query(size)).rows[0] as { bytes: number }).bytes);
  await onPostgresServer.dispose();

  await inFolder(async (folder) => {
    const file = join(folder, 'remembered.db');
    const store = sqliteStore(file);
    await remember(store);
    await store.close();
    print('sqliteStore', statSync(file).size);
  });
  return [];
}

async function remember(store: WebhookStore): Promise<void> {
  await storeRacer('', store, AT_A_TIME, IDS).run(0);
}

function print(name: string, bytes: number): void {
  console.log(`  ${name.padEnd(32)} ${String(Math.round(bytes / IDS)).padStart(6)} bytes`);
}
