import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import readChangesets from '@changesets/read';
import extractor from '@microsoft/api-extractor';
import { builtName, entries } from './entries.ts';

/** A report of API Extractor for each subpath. */
export type Reports = ReadonlyMap<string, string>;

/** A changeset, as far as it announces changes. */
export interface Announcement {
  readonly summary: string;
  readonly releases: readonly { readonly type: string }[];
}

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'api');
// Types that these entries derive from values they do not export are part of what integrators see.
const DERIVING = ['index', 'client'];
const DECLARATION =
  /^(?:export )?(?:declare )?(?:abstract )?(class|interface|type|function|const|namespace|enum) ([\w$]+)/m;
const COMMENT = /^\s*\/\//;
const OPTIONAL_MEMBER = /^\s+(?:readonly )?[\w$]+\?[:(]/;

/** What changed between two sets of reports and no changeset announces, in sentences. */
export function unannounced(before: Reports, now: Reports, changesets: readonly Announcement[]): readonly string[] {
  const announcing = changesets.filter(({ releases }) => releases.some(({ type }) => /^(minor|major)$/.test(type)));
  return [...new Set([...before.keys(), ...now.keys()])].sort().flatMap((subpath) => {
    const [old, young] = [declarationsOf(before.get(subpath)), declarationsOf(now.get(subpath))];
    return [...new Set([...old.keys(), ...young.keys()])].flatMap((name) => {
      const kind = kindOfChange(old.get(name), young.get(name));
      if (kind === undefined) return [];
      const isNamed = kind === 'added' || announcing.some(({ summary }) => summary.includes(`\`${name}\``));
      if (isNamed && announcing.length > 0) return [];
      const how = kind === 'added' ? 'a minor or major changeset' : `a minor or major changeset that names \`${name}\``;
      return [`${subpath}: ${name} was ${kind}. Run \`npx changeset\` and write ${how}.`];
    });
  });
}

/** Optional members and whole declarations are additions; everything else can break an integrator's code. */
function kindOfChange(old: string | undefined, young: string | undefined) {
  if (old === undefined) return 'added';
  if (young === undefined) return 'removed';
  const [oldLines, youngLines] = [linesOf(old), linesOf(young)];
  if (oldLines.join('\n') === youngLines.join('\n')) return undefined;
  const isClass = DECLARATION.exec(young)?.[1] === 'class';
  const come = youngLines.filter((line) => !oldLines.includes(line));
  const isWider = come.every((line) => isClass || OPTIONAL_MEMBER.test(line));
  return isWider && oldLines.every((line) => youngLines.includes(line)) ? 'added' : 'changed';
}

function linesOf(declaration: string): readonly string[] {
  return declaration.split('\n').filter((line) => line !== '' && !COMMENT.test(line));
}

/** The text of each declaration, overloads together, by its name. */
function declarationsOf(report = ''): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const block of report.split('\n\n')) {
    const name = DECLARATION.exec(block)?.[2];
    if (name) texts.set(name, `${texts.get(name) ?? ''}${block}\n`);
  }
  return texts;
}

/** Has API Extractor report on the built types of every subpath. */
function currentReports(): Reports {
  const reportFolder = join(root, 'node_modules/.cache/api');
  mkdirSync(reportFolder, { recursive: true });
  const names = Object.keys(entries).map(builtName);
  const configurations = names.map((name) =>
    extractor.ExtractorConfig.prepare({
      configObjectFullPath: undefined,
      packageJsonFullPath: join(root, 'package.json'),
      configObject: {
        projectFolder: root,
        newlineKind: 'lf',
        mainEntryPointFilePath: join(root, `dist/${name}.d.ts`),
        compiler: { overrideTsconfig: { compilerOptions: COMPILER_OPTIONS } },
        apiReport: {
          enabled: true,
          includeForgottenExports: DERIVING.includes(name),
          reportFolder,
          reportTempFolder: join(reportFolder, 'temp'),
          reportFileName: name,
        },
        messages: { extractorMessageReporting: SILENT, tsdocMessageReporting: SILENT },
      },
    }),
  );
  const [first] = configurations;
  if (!first) throw new Error('There are no entries.');
  const additionalEntryPoints = configurations.map(({ mainEntryPointFilePath }) => mainEntryPointFilePath);
  const compilerState = extractor.CompilerState.create(first, { additionalEntryPoints });
  for (const configuration of configurations) {
    const { errorCount } = extractor.Extractor.invoke(configuration, {
      compilerState,
      localBuild: true,
      messageCallback: (message) => {
        // That a report is new, and which TypeScript reads it.
        if (message.category === 'console') message.logLevel = NONE;
      },
    });
    if (errorCount > 0) throw new Error('API Extractor cannot read the types in dist: run `npm run build`.');
  }
  return new Map(names.map((name) => [name, readFileSync(join(reportFolder, `${name}.api.md`), 'utf8')]));
}

const NONE = 'none' as extractor.ExtractorLogLevel;
const SILENT = { default: { logLevel: NONE } };
const COMPILER_OPTIONS = {
  target: 'ES2022',
  module: 'nodenext',
  lib: ['ES2022', 'DOM'],
  types: ['node'],
  skipLibCheck: true,
  strict: true,
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const now = currentReports();
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.api.md')) : [];
  const before = new Map(
    files.map((file) => [file.replace('.api.md', ''), readFileSync(join(folder, file), 'utf8')] as const),
  );
  const problems = before.size === 0 ? [] : unannounced(before, now, await readChangesets(root));
  const differing = [...now].filter(([name, text]) => before.get(name) !== text).map(([name]) => name);
  if (problems.length > 0) {
    console.error(problems.join('\n'));
    process.exitCode = 1;
  } else if (process.argv.includes('--update')) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    for (const [name, text] of now) writeFileSync(join(folder, `${name}.api.md`), text);
    console.log(`Written: ${differing.join(', ') || 'nothing differs'}.`);
  } else if (differing.length > 0 || before.size !== now.size) {
    console.error(`api/ differs for ${differing.join(', ')}. If that is intended, run \`npm run api -- --update\`.`);
    process.exitCode = 1;
  } else {
    console.log(`The public interface is as api/ says: ${now.size} subpaths.`);
  }
}
