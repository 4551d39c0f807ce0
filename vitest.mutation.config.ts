import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

// What runs inside one process: the built package, the examples and the documentation say nothing about a mutant.
const inProcess = [
  'verify',
  'parse',
  'run/process',
  'run/checkpoints',
  'run/dispatch',
  'handler',
  'outcome',
  'accept',
  'run/work',
  'run/guards',
  'run/lanes',
  'run/lent-slot',
  'run/lease',
  'run/steps',
  'run/signed-event',
  'run/ask',
  'run/guarded-store',
  'run/guarded-signal',
  'run/deadlines',
  'run/contexts',
  'report/observer',
  'stop',
  'options',
  'run/open-deliveries',
  'shared/time',
  'shared/guard',
  'construct-event',
  'canary',
  'respond',
  'hmac',
  'limits',
  'retry/retry',
  'engines/memory-queue',
  'engines/memory-store',
  'engines/store-contract',
];

export default mergeConfig(
  { ...base, test: { ...base.test, include: [], reporters: [] } },
  defineConfig({ test: { include: inProcess.map((name) => `test/${name}.test.ts`), reporters: ['dot'] } }),
);
