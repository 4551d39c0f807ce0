// Control characters of C0 and C1, format characters such as those of direction, line ends, halves of characters and the private use
// area: what a terminal obeys instead of showing it.
const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** Text from outside as a terminal may show it, in one line: what a terminal would obey is written as `\x1b`, `\u202e` and the like. */
export function plain(text: string): string {
  return text.replace(OBEYED, escaped);
}

/** The same for text of several lines. */
export function plainLines(text: string): string {
  return text.split(/\r?\n/).map(plain).join('\n');
}

/** A value as JSON in one line that a terminal may show too: it reads back as the same value. */
export function plainJson(value: unknown, indent?: number): string {
  return (JSON.stringify(value, undefined, indent) ?? 'null').replace(/[^\P{C}\n]|[\p{Zl}\p{Zp}]/gu, (character) =>
    character.replace(/[\s\S]/g, (unit) => `\\u${hex(unit, 4)}`),
  );
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${hex(character, 2)}`;
  return code <= 0xffff ? `\\u${hex(character, 4)}` : `\\u{${code.toString(16)}}`;
}

function hex(unit: string, digits: number): string {
  return unit.charCodeAt(0).toString(16).padStart(digits, '0');
}
