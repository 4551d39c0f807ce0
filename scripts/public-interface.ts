import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { builtName, entries } from './entries.ts';

/** A text for each subpath. */
export type Texts = ReadonlyMap<string, string>;

const root = fileURLToPath(new URL('..', import.meta.url));

/** The public interface, a text for each subpath: every exported name with its declaration, in the order of the alphabet and without comments. */
export function publicInterface(sources: Readonly<Record<string, string>> = entries): Texts {
  const program = createProgram(Object.values(sources).map((source) => `${root}${source}`));
  const declarations = declarationsOf(program);
  const checker = program.getTypeChecker();
  const texts = Object.entries(sources).map(([subpath, source]) => {
    const file = program.getSourceFile(`${root}${source}`);
    const module = file && checker.getSymbolAtLocation(file);
    if (!module) throw new Error(`${source} exports nothing.`);
    const names = checker.getExportsOfModule(module).map((symbol) => textOf(symbol, checker, declarations));
    return [builtName(subpath), `${names.sort().join('\n\n')}\n`] as const;
  });
  return new Map(texts);
}

/** The lines that one has and the other does not, with the subpath of each. */
export function differencesOf(before: Texts, now: Texts): readonly string[] {
  const names = [...new Set([...before.keys(), ...now.keys()])].sort();
  return names.flatMap((name) => {
    const [old, young] = [linesOf(before.get(name)), linesOf(now.get(name))];
    const gone = old.filter((line) => !young.includes(line)).map((line) => `- ${name}: ${line}`);
    const come = young.filter((line) => !old.includes(line)).map((line) => `+ ${name}: ${line}`);
    const moved = gone.length + come.length === 0 && before.get(name) !== now.get(name) ? [`~ ${name}: the order`] : [];
    return [...gone, ...come, ...moved];
  });
}

function linesOf(text = ''): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

function createProgram(files: readonly string[]): ts.Program {
  const config = ts.readConfigFile(`${root}tsconfig.src.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  return ts.createProgram(files, {
    ...options,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    removeComments: true,
    stripInternal: true,
    outDir: '/',
    rootDir: root,
  });
}

/** The declaration file of each source, by the path of the source. */
function declarationsOf(program: ts.Program): ReadonlyMap<string, ts.SourceFile> {
  const files = new Map<string, ts.SourceFile>();
  program.emit(
    undefined,
    (name, text, _bom, _onError, sources) => {
      const [source] = sources ?? [];
      if (source) files.set(source.fileName, ts.createSourceFile(name, text, ts.ScriptTarget.ESNext, true));
    },
    undefined,
    true,
  );
  return files;
}

function textOf(exported: ts.Symbol, checker: ts.TypeChecker, files: ReadonlyMap<string, ts.SourceFile>): string {
  const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
  const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported;
  const sources = new Set(symbol.declarations?.map((declaration) => declaration.getSourceFile().fileName));
  const statements = [...sources].flatMap((source) =>
    (files.get(source)?.statements ?? []).filter((statement) => namesOf(statement).includes(symbol.name)),
  );
  const printed = statements.map((statement) =>
    ts.isTypeAliasDeclaration(statement) && statement.type.getText().includes('typeof ')
      ? `type ${symbol.name} = ${spelledOut(symbol, checker)};`
      : statement.getText().replace(/^export (?:declare )?/, ''),
  );
  const renamed = exported.name === symbol.name ? '' : `// ${exported.name}\n`;
  return `${renamed}${printed.join('\n')}`;
}

// A type that is taken from a value: its members are what integrators see.
function spelledOut(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const flags = ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.InTypeAlias;
  return checker.typeToString(checker.getDeclaredTypeOfSymbol(symbol), undefined, flags);
}

function namesOf(statement: ts.Statement): readonly string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  }
  const { name } = statement as ts.Statement & { readonly name?: ts.Identifier };
  return name ? [name.text] : [];
}
