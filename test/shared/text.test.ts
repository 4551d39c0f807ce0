import { describe, expect, it } from 'vitest';
import { describeError, messageOf } from '../../src/shared/text.ts';

describe('describeError', () => {
  it('returns names, messages and causes, and never throws', () => {
    const chain = new TypeError('outer', { cause: new Error('inner', { cause: 'root' }) });
    expect(describeError(chain)).toBe('TypeError: outer\ncaused by Error: inner\ncaused by root');
    expect(describeError(undefined)).toBe('undefined');
    expect(describeError('x'.repeat(1000))).toHaveLength(300);
    expect(describeError('a\0b \ud83d')).toBe('a\\0b \ufffd');
    expect(describeError('\u{1f511}')).toBe('\u{1f511}');
    const loop = new Error('loop');
    loop.cause = loop;
    expect(describeError(loop).split('\n')).toHaveLength(5);
    const trap = new Proxy(
      {},
      {
        get() {
          throw new Error('trap');
        },
      },
    );
    expect(describeError(trap)).toBe('a value that cannot be shown');
  });
});

describe('messageOf', () => {
  it('returns the message, otherwise the text, otherwise a placeholder', () => {
    expect(messageOf(new TypeError('no'))).toBe('no');
    expect(messageOf({ message: '', toString: () => 'empty' })).toBe('empty');
    expect(messageOf({ message: 7, toString: () => 'seven' })).toBe('seven');
    expect(messageOf('plain')).toBe('plain');
    expect(messageOf(null)).toBe('null');
    expect(messageOf(Object.create(null))).toBe('a value that cannot be shown');
    expect(messageOf(Object.create(null), 'nothing')).toBe('nothing');
  });
});
