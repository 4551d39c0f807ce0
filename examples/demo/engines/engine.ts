import { once } from 'node:events';
import { connect } from 'node:net';
import type { WebhookHandler, WebhookQueue } from '@pathfinder/webhooks';

/** What a handler works with before it writes its mail. */
export type Work = (id: string, attempt: number) => Promise<void>;

/** The receiver's database, as anybody may look at it while the receiver runs, or does not. */
export interface DemoDatabase {
  /** How often the mail of each event was written. */
  mails(): Promise<ReadonlyMap<string, number>>;
  deadLetters(): Promise<number>;
  close(): Promise<void>;
}

/** The queue of one process of the receiver. */
export interface DemoQueue {
  readonly queue: WebhookQueue;
  /** Registers the handler that works for each event, and then writes its mail. */
  onEvents(webhooks: WebhookHandler, work: Work): void;
}

/** Where the demo keeps what it takes in. */
export interface DemoEngine {
  /** For `… with its queue <where>.` */
  readonly where: string;
  /** What the next process does after a kill. */
  readonly reopened: string;
  /** The server that has to be there, and what names it. */
  readonly server?: { readonly name: string; readonly url: string; readonly variable: string };
  /** Makes an empty place for the folder's demo. */
  prepare(folder: string): Promise<DemoDatabase>;
  /** Opens it in a process of the receiver. */
  open(folder: string): Promise<DemoQueue>;
}

/** The engines by the name that `--engine` takes. */
export const DEMO_ENGINES = ['sqlite', 'bullmq', 'pg-boss'] as const;

/** Why the engine cannot be shown, if it cannot: its server does not answer. */
export async function whyNot({ server }: DemoEngine): Promise<string | undefined> {
  if (!server) return undefined;
  const { hostname, port, host } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  const answers = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return answers ? undefined : `${server.name} does not answer at ${host}: start it, or set ${server.variable}.`;
}

export async function loadEngine(name: string): Promise<DemoEngine> {
  const { engine } = (await import(`./${name}.ts`)) as { readonly engine: DemoEngine };
  return engine;
}
