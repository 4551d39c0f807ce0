interface Style {
  readonly name: string;
  readonly indent?: string;
  readonly comma?: string;
  readonly colon?: string;
}

interface Escaping {
  readonly name: string;
  readonly rewrite: (token: string) => string;
}

const MOST_LEVELS = 64;

const STYLES: readonly Style[] = [
  { name: 'compact' },
  { name: 'indented by 2 spaces', indent: '  ' },
  { name: 'indented by 4 spaces', indent: '    ' },
  { name: 'indented by tabs', indent: '\t' },
  { name: 'with a space after each comma and colon, as Python writes it', comma: ', ', colon: ': ' },
];

const ESCAPINGS: readonly Escaping[] = [
  { name: '', rewrite: (token) => token },
  { name: ', with characters instead of their escapes', rewrite: canonical },
  { name: ', with everything but ASCII escaped', rewrite: (token) => asciiOnly(canonical(token)) },
  { name: ', with slashes escaped', rewrite: (token) => asciiOnly(canonical(token)).replaceAll('/', '\\/') },
  {
    name: ', with <, > and & escaped',
    rewrite: (token) => canonical(token).replace(/[<>&\u2028\u2029]/g, unicodeEscape),
  },
];

/** The same JSON in one of the usual styles. @internal */
export interface RestyledJson {
  /** After "the same JSON, ". */
  readonly style: string;
  readonly text: string;
}

/**
 * The same JSON as the usual serialisers write it, keys and numbers as they stand: nothing goes through `JSON.parse`, which
 * would sort keys that look like numbers and shorten `1.0`. Empty for what is no JSON, or nests deeper than 64 levels.
 *
 * @internal
 */
export function restyleJson(text: string): RestyledJson[] {
  const tokens = tokensOf(text);
  if (!tokens) return [];
  return ESCAPINGS.flatMap(({ name: escaping, rewrite }) => {
    const rewritten = tokens.map((token) => (token.startsWith('"') ? rewrite(token) : token));
    return STYLES.map((style) => ({ style: style.name + escaping, text: write(rewritten, style) }));
  });
}

/** Whether `text` is JSON. @internal */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function tokensOf(text: string): readonly string[] | undefined {
  if (!isJson(text)) return undefined;
  const tokens = tokenize(text);
  let depth = 0;
  for (const token of tokens) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    // Indenting a tower of brackets would take its depth squared.
    if (depth > MOST_LEVELS) return undefined;
  }
  return tokens;
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  for (let start = 0; start < text.length; ) {
    const end = endOfToken(text, start);
    const token = text.slice(start, end).trim();
    if (token) tokens.push(token);
    start = end;
  }
  return tokens;
}

function endOfToken(text: string, start: number): number {
  let end = start + 1;
  if (text[start] === '"') {
    while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    return end + 1;
  }
  if (isDelimiter(text[start])) return end;
  while (!isDelimiter(text[end])) end++;
  return end;
}

// The end of the text is an end of a line too.
function isDelimiter(character: string | undefined): boolean {
  return character === undefined || '{}[]:," \t\r\n'.includes(character);
}

function write(tokens: readonly string[], { indent, comma = ',', colon }: Style): string {
  let depth = 0;
  const line = () => (indent === undefined ? '' : `\n${indent.repeat(depth)}`);
  const parts = tokens.map((token, i) => {
    switch (token) {
      case '{':
      case '[':
        depth++;
        return closes(tokens[i + 1]) ? token : token + line();
      case '}':
      case ']':
        depth--;
        return opens(tokens[i - 1]) ? token : line() + token;
      case ',':
        return indent === undefined ? comma : token + line();
      case ':':
        return colon ?? (indent === undefined ? ':' : ': ');
      default:
        return token;
    }
  });
  return parts.join('');
}

function opens(token: string | undefined): boolean {
  return token === '{' || token === '[';
}

function closes(token: string | undefined): boolean {
  return token === '}' || token === ']';
}

function canonical(token: string): string {
  return JSON.stringify(JSON.parse(token));
}

function asciiOnly(token: string): string {
  return token.replace(/[^\x20-\x7e]/g, unicodeEscape);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
