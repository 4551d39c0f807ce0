import { dirname } from 'node:path';

// The packages are a folder further up.
const root = dirname(import.meta.dirname);

export default { outputFileTracingRoot: root, turbopack: { root } };
