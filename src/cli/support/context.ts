import type { GlobalOptions, Printer } from './printer.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** The surroundings that a command is run in. */
export interface Context {
  readonly terminal: Terminal;
  readonly printer: Printer;
  readonly settings: Settings;
  readonly globals: GlobalOptions;
}
