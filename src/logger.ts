/** Where the SDK writes: any logger in pino's style, fields first. */
export interface WebhookLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
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
