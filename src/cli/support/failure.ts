/** How a command ends. `no`: it ran, and the answer is no. `setup`: a secret, a token, a file or a store is missing. */
export const EXIT = { ok: 0, no: 1, usage: 2, setup: 3, unreachable: 4, interrupted: 130 } as const;

/** Why a command failed: a cause in one line, and the cure in one. Neither holds a secret. */
export class CliError extends Error {
  /** For programs: stable. */
  readonly code: string;
  readonly exitCode: number;
  /** The cure, in one line. */
  readonly fix: string;

  constructor(exit: keyof typeof EXIT, code: string, message: string, fix: string) {
    super(message);
    this.name = 'CliError';
    this.code = code;
    this.exitCode = EXIT[exit];
    this.fix = fix;
  }
}

/** A command was called in a way that makes no sense. */
export function usage(message: string, fix: string): CliError {
  return new CliError('usage', 'usage', message, fix);
}
