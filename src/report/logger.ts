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
