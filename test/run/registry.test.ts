import { describe, expect, it } from 'vitest';
import { createRegistry } from '../../src/run/registry.ts';
import { recordingLogger } from '../support/deliver.ts';

const known = new Set(['user.created', 'user.deleted', 'auth.login']);

function create(durable = false) {
  const logger = recordingLogger();
  const registry = createRegistry({ knownTypes: known, durable, logger });
  const idsOf = (type: string) => registry.match(type).map(({ id }) => id);
  return { registry, logger, idsOf };
}

describe('the handler registry', () => {
  it('names a handler by its option, otherwise its function, otherwise its position', () => {
    const { registry, idsOf } = create();
    registry.add(['*'], function welcome() {}, {});
    registry.add(['*'], () => undefined, { name: 'own.name-1' });
    registry.add(['*'], () => undefined, {});
    registry.add(['*'], () => undefined, {});
    registry.add(['user.created', 'auth.login'], () => undefined, {});
    expect(idsOf('user.created')).toEqual([
      '*#welcome',
      '*#own.name-1',
      '*#(1)',
      '*#(2)',
      'user.created,auth.login#(1)',
    ]);
    expect(registry.match('user.created').map(({ name }) => name)).toEqual([
      'welcome',
      'own.name-1',
      '(1)',
      '(2)',
      '(1)',
    ]);
  });

  it('gives no two handlers the same position', () => {
    const { registry, idsOf } = create();
    // In an array a function gets no name.
    const [first] = [() => undefined] as const;
    registry.add(['*'], first, {});
    registry.add(['*'], () => undefined, {});
    registry.remove(['*'], first);
    registry.add(['*'], () => undefined, {});
    expect(idsOf('x').toSorted()).toEqual(['*#(2)', '*#(3)']);
  });

  it('ignores a function’s name that is invalid for a checkpoint', () => {
    const { registry, idsOf } = create(true);
    registry.add(['*'], { 'a b': () => undefined }['a b'] ?? (() => undefined), {});
    registry.add(['user.*'], { ['x'.repeat(65)]: () => undefined }['x'.repeat(65)] ?? (() => undefined), {});
    registry.add(['auth.*'], { ['x'.repeat(64)]: () => undefined }['x'.repeat(64)] ?? (() => undefined), {});
    expect([idsOf('user.created'), idsOf('auth.login')]).toEqual([
      ['*#(1)', 'user.*#(1)'],
      ['*#(1)', `auth.*#${'x'.repeat(64)}`],
    ]);
  });

  it.each(['', 'a b', 'a/b', 'a\n', 'é', 'x'.repeat(65), '(1)'])('rejects the name %j', (name) => {
    const { registry } = create();
    expect(() => registry.add(['*'], () => undefined, { name })).toThrow(
      new TypeError('A handler name has 1 to 64 of the characters A-Z a-z 0-9 _ . and -.'),
    );
  });

  it('rejects a second handler of one name on the same patterns, and accepts it on others', () => {
    const { registry, idsOf } = create();
    const welcome = () => undefined;
    registry.add(['user.created'], welcome, {});
    expect(() => registry.add(['user.created'], welcome, {})).toThrow(
      new TypeError("A handler named 'welcome' is already registered for 'user.created': pass another { name }."),
    );
    registry.add(['user.*'], welcome, {});
    expect(idsOf('user.created')).toEqual(['user.created#welcome', 'user.*#welcome']);
  });

  it('rejects a second unnamed handler when checkpoints outlive the process', () => {
    const { registry } = create(true);
    registry.add(['*'], () => undefined, {});
    registry.add(['user.*'], () => undefined, {});
    expect(() => registry.add(['*'], () => undefined, {})).toThrow(
      new TypeError(
        "Two unnamed handlers on '*': pass { name }, since a durable store keeps a checkpoint for each by its name.",
      ),
    );
  });

  it('removes a handler only from the patterns it was registered for', () => {
    const { registry, idsOf } = create();
    const handler = () => undefined;
    registry.add(['*'], handler, { name: 'a' });
    registry.add(['*'], handler, { name: 'b' });
    registry.add(['user.created', '*'], handler, { name: 'c' });
    registry.remove(['user.created'], handler);
    expect(idsOf('user.created')).toHaveLength(3);
    registry.remove(['*'], () => undefined);
    expect(idsOf('user.created')).toHaveLength(3);
    registry.remove(['*'], handler);
    expect(idsOf('user.created')).toEqual(['user.created,*#c']);
    expect(registry.patterns()).toEqual(['user.created', '*']);
  });

  it('finds a handler that was added after its type was first matched', () => {
    const { registry, idsOf } = create();
    expect(idsOf('user.created')).toEqual([]);
    registry.add(['user.*'], () => undefined, { name: 'late' });
    expect(idsOf('user.created')).toEqual(['user.*#late']);
    expect([idsOf('user.unknown'), idsOf('userx.created'), idsOf('user')]).toEqual([[], [], []]);
  });

  it('stores nothing for unknown types', () => {
    const { registry } = create();
    registry.add(['*'], () => undefined, { name: 'all' });
    expect(registry.match('user.created')).toBe(registry.match('user.created'));
    expect(registry.match('brand.new')).not.toBe(registry.match('brand.new'));
  });

  it('runs handlers of an unknown exact name, with a warning', () => {
    const { registry, idsOf, logger } = create();
    registry.add(['brand.new'], () => undefined, { name: 'new' });
    registry.add(['__proto__'], () => undefined, { name: 'odd' });
    expect([idsOf('brand.new'), idsOf('__proto__'), idsOf('constructor')]).toEqual([
      ['brand.new#new'],
      ['__proto__#odd'],
      [],
    ]);
    expect(logger.lines).toEqual(
      ['brand.new', '__proto__'].map((pattern) => ({
        level: 'warn',
        fields: { pattern },
        message: `No known webhook event matches '${pattern}'. Declare newer types in \`events\`.`,
      })),
    );
  });

  it('warns about each unknown name with the nearest known one', () => {
    const { registry, logger } = create();
    registry.add(['user.created', 'user.*', '*', 'user.delete', 'users.*'], () => undefined, {});
    expect(logger.lines.map(({ fields, message }) => [fields.pattern, message.split('. ')[1]])).toEqual([
      ['user.delete', "Did you mean 'user.deleted'?"],
      ['users.*', 'Declare newer types in `events`.'],
    ]);
  });
});
