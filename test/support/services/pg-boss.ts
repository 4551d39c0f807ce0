import { createRequire } from 'node:module';
import type PgBossType from 'pg-boss';

/** The package under test: pg-boss 10, unless another version is named. */
export const PG_BOSS = process.env.PATHFINDER_PG_BOSS ?? 'pg-boss';

type Library = { readonly PgBoss?: typeof PgBossType; readonly default?: typeof PgBossType };

// Version 10 exports the class itself, and 12 under its name.
const library = createRequire(import.meta.url)(PG_BOSS) as Library & typeof PgBossType;

/** A boss without schedules, on a schema of its own. */
export function newBoss(options: PgBossType.ConstructorOptions): PgBossType {
  const Boss = library.PgBoss ?? library.default ?? library;
  return new Boss({ max: 2, schedule: false, ...options } as PgBossType.DatabaseOptions);
}

/** Ends it, and what it runs. */
export async function stopBoss(boss: PgBossType): Promise<void> {
  await boss.stop({ graceful: false, wait: true });
}
