import { readFileSync, writeFileSync } from 'node:fs';
import { entries, exportsField, importsField, knipEntries, pathsField, typesVersionsField } from './entries.ts';
import { projectDocuments } from './llms.ts';

update('package.json', (manifest) => {
  Object.assign(manifest, { exports: exportsField(), imports: importsField(), typesVersions: typesVersionsField() });
});
update('tsconfig.json', (config) => {
  config.compilerOptions = { ...(config.compilerOptions as object), paths: pathsField() };
});
update('typedoc.json', (config) => {
  config.entryPoints = Object.values(entries);
  config.projectDocuments = projectDocuments();
});
update('config/knip.json', (config) => {
  config.entry = knipEntries();
});

function update(file: string, change: (json: Record<string, unknown>) => void): void {
  const url = new URL(`../${file}`, import.meta.url);
  const json = JSON.parse(readFileSync(url, 'utf8')) as Record<string, unknown>;
  change(json);
  writeFileSync(url, `${JSON.stringify(json, undefined, 2)}\n`);
}
