import type { WebhookLogger } from '../../index.ts';
import { unheeded } from '../../shared/guard.ts';
import type { RedisPort } from './driver.ts';

const OLDEST_VERSION = [6, 2] as const;

/**
 * Asks the server at the first use of the store what it is, and warns of what breaks a promise of the store.
 *
 * @throws Error for a server that is too old.
 */
export async function examineServer({ info }: RedisPort, logger: Pick<WebhookLogger, 'warn'>): Promise<void> {
  const said = await info();
  if (said === undefined) return;
  const fields = new Map(said.split(/\r?\n/).map((line) => line.split(':', 2) as [string, string]));
  refuseOldVersion(fields.get('redis_version') ?? '');
  for (const warning of warningsOf(fields)) unheeded(() => logger.warn({}, warning));
}

function refuseOldVersion(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_VERSION;
  if (version === '' || major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new Error(`redisStore needs Redis ${OLDEST_VERSION.join('.')} or later; this server is ${version}.`);
}

function warningsOf(fields: ReadonlyMap<string, string>): readonly string[] {
  const policy = fields.get('maxmemory_policy');
  return [
    ...(fields.get('aof_enabled') === '0'
      ? [
          'Redis does not append to a file: a restart of the server loses what it holds, events that were acknowledged included. Set `appendonly yes`.',
        ]
      : []),
    ...(policy !== undefined && policy !== 'noeviction'
      ? [
          `Redis has \`maxmemory-policy ${policy}\`: when its memory is full it deletes what the webhook store remembers, and events run again. Set \`noeviction\`.`,
        ]
      : []),
    ...(fields.get('role') === 'slave'
      ? [
          'This Redis server is a replica, which takes no writes: every delivery is answered 503. Connect to the primary.',
        ]
      : []),
  ];
}
