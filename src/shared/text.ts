const MOST_CAUSES = 5;
const MOST_CHARACTERS = 300;
const UNSHOWN = 'a value that cannot be shown';

/** Whatever was thrown, as text. Never throws: `unshown` stands for what has none. */
function textOf(thrown: unknown, unshown = UNSHOWN): string {
  try {
    return String(thrown);
  } catch {
    return unshown;
  }
}

/** The message of whatever was thrown, else its text. Never throws. */
export function messageOf(thrown: unknown, unshown = UNSHOWN): string {
  const message = propertyOf(thrown, 'message');
  return typeof message === 'string' && message ? message : textOf(thrown, unshown);
}

/** An error and its causes as text for a dead letter: names and messages, cut short. Never throws. */
export function describeError(error: unknown): string {
  const lines: string[] = [];
  let current = error;
  while (lines.length < MOST_CAUSES && (lines.length === 0 || current !== undefined)) {
    // A NUL would end the text for some databases, and half a character is none.
    lines.push(
      textOf(current)
        .slice(0, MOST_CHARACTERS)
        .replaceAll('\0', '\\0')
        .replace(/\p{Cs}/gu, '\ufffd'),
    );
    current = propertyOf(current, 'cause');
  }
  return lines.join('\ncaused by ');
}

// A getter or a proxy may throw.
function propertyOf(value: unknown, name: 'cause' | 'message'): unknown {
  try {
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
  } catch {
    return undefined;
  }
}
