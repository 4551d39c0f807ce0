import { describe, inject } from 'vitest';
import type { Services } from './global-setup.ts';

const HOW: Readonly<Record<keyof Services, string>> = {
  postgres: 'PostgreSQL was not found: set DATABASE_URL, or install it (Debian: `apt-get install postgresql`).',
  redis: 'Redis was not found: set REDIS_URL, or install it (Debian: `apt-get install redis-server`).',
};

/** Defines tests with the address of a service. Where there is none they are skipped, and say so. */
export function describeWith(service: keyof Services, name: string, define: (url: string) => void): void {
  const url = inject('services')[service];
  if (url === undefined) console.warn(`\n${name}: skipped. ${HOW[service]}\n`);
  describe.skipIf(url === undefined)(name, () => define(url ?? ''));
}
