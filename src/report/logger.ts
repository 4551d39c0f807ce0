import { unheeded } from '../shared/guard.ts';

const DOCS = 'https://github.com/pathfinder/webhooks-node/blob/main/docs/logging.md';

/** Where the SDK writes: any logger in pino's style, fields first. */
export interface WebhookLogger {
  /** What only a developer wants to know. */
  debug(fields: object, message: string): void;
  /** What happens in the normal course. */
  info(fields: object, message: string): void;
  /** What somebody should look at. */
  warn(fields: object, message: string): void;
  /** What somebody has to look at. */
  error(fields: object, message: string): void;
}

/** The default: warnings and errors on the console, the rest silent. */
export const consoleLogger: WebhookLogger = {
  debug() {},
  info() {},
  warn(fields, message) {
    console.warn(`[pathfinder] ${message}`, fields);
  },
  error(fields, message) {
    console.error(`[pathfinder] ${message}`, fields);
  },
};

/** How to tell a logger that takes its message first, and what it is called. */
const MESSAGE_FIRST: readonly (readonly [name: string, member: string])[] = [
  ['winston', 'rejections'],
  ['log4js', 'setParseCallStackFunction'],
];

/** Warns once of a logger that would print the fields and lose the message. */
export function warnOfMessageFirst(logger: object): void {
  const [name] = MESSAGE_FIRST.find(([, member]) => member in logger) ?? [];
  if (!name) return;
  console.warn(`[pathfinder] This logger looks like ${name}'s, which takes the message first: wrap it, see ${DOCS}`);
}

/**
 * The logger as handlers get it: none of its four methods throws, or rejects where nobody waits. Whatever else it has,
 * such as pino's `child`, is there as it was.
 */
export function guardLogger(logger: WebhookLogger): WebhookLogger {
  const at = (level: keyof WebhookLogger) => ({
    value: (fields: object, message: string) => unheeded(() => logger[level](fields, message)),
  });
  return Object.create(logger, { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') });
}

/** Logs with the id and type of `event`, made harmless, and nothing else of it. Never throws, whatever the logger does. */
export function logAboutEvent(
  logger: WebhookLogger | undefined,
  level: 'warn' | 'error',
  event: unknown,
  fields: object,
  message: string,
): void {
  unheeded(() => {
    const { id, type } = (event ?? {}) as { readonly id?: unknown; readonly type?: unknown };
    return logger?.[level]({ event_id: harmless(id), event_type: harmless(type), ...fields }, message);
  });
}

function harmless(text: unknown): string | undefined {
  if (typeof text !== 'string') return undefined;
  // Line ends, terminal escapes and marks that reorder text would let an event write log lines of its own.
  const escaped = (character: string) => `\\u{${character.codePointAt(0)?.toString(16)}}`;
  return text.slice(0, 255).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}
