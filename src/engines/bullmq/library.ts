import { createRequire } from 'node:module';
import type * as BullMQ from 'bullmq';

const FIT = 'bullmqQueue needs BullMQ 6, which runs on Node 14.18 and later: `npm install bullmq@6`';

/**
 * BullMQ as the project has it.
 *
 * @param require - Looks for it from where this package is installed.
 * @throws TypeError when it is missing, or of another version.
 */
export function loadBullMQ(require: (name: string) => unknown = createRequire(import.meta.url)): typeof BullMQ {
  let library: typeof BullMQ;
  try {
    library = require('bullmq') as typeof BullMQ;
  } catch (cause) {
    throw new TypeError(`${FIT}. It could not be loaded.`, { cause });
  }
  const { version } = require('bullmq/package.json') as { readonly version: string };
  if (version.startsWith('6.')) return library;
  throw new TypeError(`${FIT}. Version ${version} is installed.`);
}
