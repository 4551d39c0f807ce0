import { tableNames } from '../../../src/engines/postgres/schema.ts';
import { storeStatements } from '../../../src/engines/postgres/sql.ts';
import { scripts } from '../../../src/engines/redis/driver.ts';
import { storeScripts } from '../../../src/engines/redis/scripts.ts';
import { importBuiltEngines } from '../../built.ts';
import type { Gate } from '../../harness.ts';
import { storeRacer } from '../claims.ts';
import { printPaces, type Racer, race } from '../wall.ts';
import { newName, onPostgres, onRedis, SILENT } from './places.ts';

const PAIRS = 1000;
const ROUNDS = 9;
const LEASE_MS = 30_000;
const RETENTION_MS = 7 * 86_400_000;
const BODY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const AT_A_TIME = [1, 10] as const;

/** `claim` and `complete` of fresh ids on Redis and Postgres, beside the same statements through the driver by hand. */
export async function benchServerClaims(): Promise<Gate[]> {
  return [...(await onRedisByHand()), ...(await onPostgresByHand())];
}

type Pair = (key: string, token: string) => Promise<void>;

function handRacer(atATime: number, pair: Pair): Racer {
  return {
    name: 'the same statements by hand',
    async run(round) {
      for (let i = 0; i < PAIRS; i += atATime) {
        const keys = Array.from(
          { length: atATime },
          (_, k) => `hand_${atATime}_${round}_${i + k}_${performance.now()}`,
        );
        await Promise.all(keys.map((key) => pair(key, `token_${key}`)));
      }
    },
  };
}

async function onRedisByHand(): Promise<Gate[]> {
  const { redis } = await importBuiltEngines();
  const place = await onRedis();
  const { client } = place;
  const sources = scripts(storeScripts);
  for (const { text } of Object.values(sources)) await client.script('LOAD', text);
  const pair: Pair = async (key, token) => {
    const kept = LEASE_MS + RETENTION_MS;
    await client.evalsha(sources.claim.sha, 1, key, token, BODY_HASH, LEASE_MS, kept);
    await client.evalsha(sources.complete.sha, 1, key, token, RETENTION_MS);
  };
  const gates = await raceAll('redisStore', pair, () =>
    redis.redisStore(client, { namespace: newName(), logger: SILENT }),
  );
  await place.dispose();
  return gates;
}

async function onPostgresByHand(): Promise<Gate[]> {
  const { postgres } = await importBuiltEngines();
  const place = await onPostgres();
  const { pool } = place;
  const sql = storeStatements(tableNames('pathfinder_webhook_', undefined));
  await pool.query(postgres.postgresSchema());
  const pair: Pair = async (key, token) => {
    const claimed = [key, token, BODY_HASH, LEASE_MS, LEASE_MS + RETENTION_MS];
    await pool.query({ name: 'claim', text: sql.claim, values: claimed });
    await pool.query({ name: 'complete', text: sql.complete, values: [key, token, RETENTION_MS, 0] });
  };
  const gates = await raceAll('postgresStore', pair, () =>
    postgres.postgresStore(pool, { namespace: newName(), logger: SILENT }),
  );
  await place.dispose();
  return gates;
}

async function raceAll(name: string, pair: Pair, open: () => Parameters<typeof storeRacer>[1]): Promise<Gate[]> {
  const gates: Gate[] = [];
  for (const atATime of AT_A_TIME) {
    const racers = [handRacer(atATime, pair), storeRacer(name, open(), atATime, PAIRS)];
    const paces = await race(racers, PAIRS, ROUNDS);
    printPaces(`Pairs of claim and complete on ${name}, ${atATime} at a time`, paces);
    const what = `${name}: claim and complete, ${atATime} at a time, against the driver`;
    gates.push({ what, ratio: paces[1]?.ratio ?? 0, least: 0.8 });
  }
  return gates;
}
