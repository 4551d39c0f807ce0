import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { QueueStats, WebhookStats } from '@pathfinder/webhooks';

/** What a receiver answers when it is asked. */
export interface ReceiverStats {
  readonly counts: WebhookStats;
  readonly left: QueueStats;
}

/** A receiver in a process of its own, as it runs in production. */
export class ReceiverProcess {
  /** The webhook's route. */
  readonly url: string;
  /** A route behind `express.json()`, where it must not be. */
  readonly parsedUrl: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, { url, parsedUrl }: { readonly url: string; readonly parsedUrl: string }) {
    this.#child = child;
    this.url = url;
    this.parsedUrl = parsedUrl;
  }

  /** Starts the module of a receiver, which keeps everything in the folder, or under its name in the engine. */
  static async start(module: URL, folder: string, engine: string): Promise<ReceiverProcess> {
    const child = fork(fileURLToPath(module), [folder, engine]);
    const exited = once(child, 'exit').then(() => Promise.reject(new Error('The receiver did not start.')));
    const [addresses] = await Promise.race([once(child, 'message'), exited]);
    exited.catch(() => undefined);
    return new ReceiverProcess(child, addresses);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stats(): Promise<ReceiverStats> {
    const answered = once(this.#child, 'message');
    this.#child.send('stats');
    return (await answered)[0];
  }

  /** Ends the process at once, whatever it is at; gives the signal that ended it. */
  async kill(): Promise<string> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    return String((await exited)[1]);
  }
}
