import { onTestFinished } from 'vitest';
import { type CommandLineOptions, commandLine, type Outcome } from './command-line.ts';

/** `listen` at work. */
export interface Listening {
  readonly url: URL;
  readonly port: number;
  /** What it has written to stdout so far. */
  out(): string;
  /** Ends it as Ctrl-C does. */
  stop(): Promise<Outcome>;
  /** Resolves when it has ended. */
  readonly ended: Promise<Outcome>;
}

/** Starts `listen` on a free port, and waits until it says where. */
export async function listening(line = '', options: CommandLineOptions = {}): Promise<Listening> {
  const interrupt = new AbortController();
  let out = '';
  let told: (url: string) => void = () => undefined;
  const where = new Promise<string>((resolve) => {
    told = resolve;
  });
  let err = '';
  const ended = commandLine(`listen --port 0 ${line}`, {
    ...options,
    signal: interrupt.signal,
    onOut: (text) => {
      out += text;
    },
    onErr: (text) => {
      err += text;
      const url = /Receiver\s+(http:\S+)/.exec(err.replaceAll(/\p{Cc}\[\d+m/gu, ''))?.[1];
      if (url) told(url);
    },
  });
  onTestFinished(async () => {
    interrupt.abort();
    await ended;
  });
  const url = await Promise.race([
    where,
    ended.then(({ stderr }) => Promise.reject(new Error(`listen ended: ${stderr}`))),
  ]);
  return {
    url: new URL(url),
    port: Number(new URL(url).port),
    out: () => out,
    ended,
    stop() {
      interrupt.abort();
      return ended;
    },
  };
}
