const MOST_CAUSES = 5;
const MOST_CHARACTERS = 300;

/** An error and its causes as text for a dead letter: names and messages, cut short. Never throws, whatever was thrown. */
export function describeError(error: unknown): string {
  const lines: string[] = [];
  let current = error;
  while (lines.length < MOST_CAUSES && (lines.length === 0 || current !== undefined)) {
    lines.push(describeOne(current));
    current = causeOf(current);
  }
  return lines.join('\ncaused by ');
}

function describeOne(error: unknown): string {
  try {
    return String(error).slice(0, MOST_CHARACTERS);
  } catch {
    return 'a value that cannot be shown';
  }
}

function causeOf(error: unknown): unknown {
  try {
    return typeof error === 'object' && error !== null ? (error as { readonly cause?: unknown }).cause : undefined;
  } catch {
    return undefined;
  }
}
