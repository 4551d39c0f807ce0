const DOCS = 'https://github.com/pathfinder/webhooks-node/blob/main/docs/testing.md#jsdom';

type Global = 'TextEncoder' | 'TextDecoder' | 'structuredClone';

/**
 * Says at once what an environment lacks of what every runtime has. The one that people meet is jest's jsdom.
 *
 * @throws TypeError naming what is missing, and the cure.
 */
export function checkGlobals(what: string, names: readonly Global[]): void {
  const missing = names.filter((name) => globalThis[name] === undefined);
  if (missing.length === 0) return;
  const cure = 'The jsdom environment of jest takes it away: run this test with `@jest-environment node`';
  throw new TypeError(`${what} finds no ${missing.join(' and no ')} here. ${cure}, see ${DOCS}`);
}
