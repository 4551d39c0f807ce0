import { dirname } from 'node:path';

// The packages are a folder further up, beside both applications.
export default { outputFileTracingRoot: dirname(import.meta.dirname) };
