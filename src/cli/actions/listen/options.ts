/** The path that is shown; every path is received. */
export const PATH = '/webhooks/pathfinder';

export interface ListenOptions {
  readonly port?: number;
  readonly host?: string;
  readonly allowHost?: readonly string[];
  readonly forwardTo?: string;
  readonly allowRemote?: boolean;
  readonly events?: readonly string[];
  readonly verify: boolean;
  readonly save?: string;
  readonly keep?: number;
  readonly concurrency?: number;
  readonly timeout?: number;
  readonly count?: number;
}
