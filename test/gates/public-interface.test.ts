import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { announcesChange, changesetsIn } from '../../scripts/changesets.ts';
import { differencesOf, publicInterface } from '../../scripts/public-interface.ts';

/** A folder with changesets in it. */
function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-changesets-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

it('the public interface is every exported name with its declaration, without comments and private parts', {
  timeout: 60_000,
}, () => {
  const texts = publicInterface({ './verify': 'src/verify.ts', './otel': 'src/otel/index.ts' });
  expect(Object.fromEntries(texts)).toEqual({
    verify: [
      'function verifyWebhookSignature(payload: WebhookPayload, signature: WebhookSignature, secret: WebhookSecret): boolean;',
      'type WebhookPayload = string | Uint8Array | ArrayBuffer;',
      'type WebhookSecret = string | Uint8Array | readonly (string | Uint8Array)[];',
      'type WebhookSignature = string | readonly string[] | null | undefined;\n',
    ].join('\n\n'),
    otel: expect.stringMatching(
      /^function otel\(options\?: OtelOptions\): WebhookTelemetry;\n\ninterface OtelOptions \{/,
    ),
  });
});

it('a name that goes, comes, changes or moves is a difference', () => {
  const before = new Map([
    ['a', 'function one(): void;\n\nfunction two(): void;\n'],
    ['gone', 'type Gone = 1;\n'],
    ['moved', 'type A = 1;\ntype B = 2;\n'],
    ['same', 'type Same = 1;\n'],
  ]);
  const now = new Map([
    ['a', 'function one(more: string): void;\n\nfunction two(): void;\n'],
    ['come', 'type Come = 1;\n'],
    ['moved', 'type B = 2;\ntype A = 1;\n'],
    ['same', 'type Same = 1;\n'],
  ]);
  expect(differencesOf(before, now)).toEqual([
    '- a: function one(): void;',
    '+ a: function one(more: string): void;',
    '+ come: type Come = 1;',
    '- gone: type Gone = 1;',
    '~ moved: the order',
  ]);
  expect(differencesOf(now, now)).toEqual([]);
});

it('only a changeset of a minor or major version announces a change of it', () => {
  const changeset = (bump: string) => `---\n"@pathfinder/webhooks": ${bump}\n---\n\nWhy.\n`;
  const of = (text: string) => changesetsIn(folderWith({ 'a.md': text, 'README.md': 'no changeset' }));
  expect(of(changeset('minor'))).toEqual([{ file: 'a.md', bump: 'minor' }]);
  expect(of('---\n---\n\nNothing to release.\n')).toEqual([{ file: 'a.md', bump: 'none' }]);
  expect(of('Just a text.\n')).toEqual([{ file: 'a.md', bump: undefined }]);
  const announced = ['minor', 'major', 'patch'].map((bump) => announcesChange(of(changeset(bump))));
  expect([...announced, announcesChange(of('Just a text.\n')), announcesChange([])]).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
