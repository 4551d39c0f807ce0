import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { checkNamespace, storeKey } from '../../../src/engines/shared/store-key.ts';

it('a key of up to 200 characters is stored as it is, and a longer one as its SHA-256', () => {
  const longest = 'k'.repeat(198);
  const hash = createHash('sha256')
    .update(JSON.stringify(`n\nk${longest}`))
    .digest('hex');
  expect([storeKey('n', longest), storeKey('n', `k${longest}`)]).toEqual([`n\n${longest}`, `sha256:${hash}`]);
});

it('keys that a database would cut or change are stored as different hashes', () => {
  const keys = ['a\0b', 'a\0c', 'a\ud800', 'a\ud801'].map((key) => storeKey('n', key));
  expect(keys.filter((key) => /^sha256:[0-9a-f]{64}$/.test(key))).toHaveLength(4);
  expect(new Set(keys).size).toBe(4);
});

it('a namespace has 1 to 64 printable characters', () => {
  expect(['n', 'ñ 1', 'n'.repeat(64)].map(checkNamespace)).toEqual(['n', 'ñ 1', 'n'.repeat(64)]);
  const refused = ['', 'n'.repeat(65), 'a\nb', 'a\u2028b', '\0'];
  for (const namespace of refused) {
    expect(() => checkNamespace(namespace)).toThrow(
      new TypeError('`namespace` must have 1 to 64 printable characters.'),
    );
  }
});
