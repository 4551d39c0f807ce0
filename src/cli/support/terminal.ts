import type { Readable } from 'node:stream';

/** A stream that text goes to. */
export interface Output {
  write(text: string): unknown;
  /** Whether a person looks at it. */
  readonly isTTY?: boolean | undefined;
  /** How wide it is, in characters. */
  readonly columns?: number | undefined;
}

/** All that a command knows of the process that it runs in. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that paths start from. */
  readonly cwd: string;
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  /** Data, and nothing else. */
  readonly stdout: Output;
  /** Everything that is no data. */
  readonly stderr: Output;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
}
