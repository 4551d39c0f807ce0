import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type Announcement, unannounced } from '../../scripts/api.ts';

const report = (...declarations: readonly string[]) =>
  new Map([['index', `## API Report File\n\n${declarations.join('\n\n')}\n`]]);
const changeset = (type: string, summary = 'First release.'): Announcement => ({ summary, releases: [{ type }] });

const construct = '// @public\nexport function constructWebhookEvent(body: string): WebhookEvent;';
const options = '// @public\nexport interface Options {\n    name?: string;\n}';
const optional = options.replace('}', '    more?: string;\n}');
const required = options.replace('}', '    more: string;\n}');
const handler = '// @public\nexport class Handler {\n    on(): this;\n}';
const method = handler.replace('}', '    off(): this;\n}');

it('the public interface may not lose a declaration under a changeset that does not name it', () => {
  const lost = (summary?: string) =>
    unannounced(report(construct, options), report(options), [changeset('minor', summary)]);
  expect(lost()).toEqual([
    'index: constructWebhookEvent was removed. Run `npx changeset` and write a minor or major changeset that names `constructWebhookEvent`.',
  ]);
  expect(lost('Removes `constructWebhookEvent`; use `handle`.')).toEqual([]);
});

it('the public interface as api/ has it may not lose a declaration under a changeset that does not name it', () => {
  const before = readFileSync(new URL('../../api/index.api.md', import.meta.url), 'utf8');
  const now = before.replace(/\/\/ @public\nexport function constructWebhookEvent\(.*\n\n/, '');
  const found = unannounced(new Map([['index', before]]), new Map([['index', now]]), [changeset('minor')]);
  expect(found).toEqual([expect.stringContaining('index: constructWebhookEvent was removed.')]);
});

it.each([
  [
    'a parameter type that changes',
    [construct],
    [construct.replace('body: string', 'body: Buffer')],
    'constructWebhookEvent',
  ],
  ['a member that goes', [optional], [options], 'Options'],
  ['a required member that comes', [options], [required], 'Options'],
  ['a method that goes', [method], [handler], 'Handler'],
  ['an overload that goes', [construct, construct.replace('string', 'Buffer')], [construct], 'constructWebhookEvent'],
])('the public interface may not narrow by %s under a changeset that does not name it', (_, before, now, name) => {
  const found = unannounced(report(...before), report(...now), [changeset('major')]);
  expect(found).toEqual([expect.stringContaining(`index: ${name} was changed.`)]);
  expect(unannounced(report(...before), report(...now), [changeset('major', `Narrows \`${name}\`.`)])).toEqual([]);
  expect(unannounced(report(...before), report(...now), [changeset('patch', `Narrows \`${name}\`.`)])).toEqual(found);
});

it.each([
  ['a new declaration', [options], [options, construct]],
  ['an optional member', [options], [optional]],
  ['a method of a class', [handler], [method]],
])('the public interface may grow by %s under any minor or major changeset', (_, before, now) => {
  expect(unannounced(report(...before), report(...now), [changeset('minor')])).toEqual([]);
  expect(unannounced(report(...before), report(...now), [changeset('patch')])).toHaveLength(1);
  expect(unannounced(report(...before), report(...now), [])).toHaveLength(1);
});

it('a comment in the report or an unchanged declaration needs no changeset', () => {
  expect(unannounced(report(options), report(options), [])).toEqual([]);
});
