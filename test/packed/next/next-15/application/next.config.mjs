import { dirname } from 'node:path';

// The packages are a folder further up, beside both applications.
const root = dirname(import.meta.dirname);

export default {
  outputFileTracingRoot: root,
  experimental: { middlewareClientMaxBodySize: '2kb' },
};
