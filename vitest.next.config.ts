import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

// Apart from the other tests: to install and build two applications of Next takes minutes.
export default defineConfig({
  ...base,
  test: { ...base.test, include: ['test/next/*.test.ts'], exclude: [], testTimeout: 30_000 },
});
