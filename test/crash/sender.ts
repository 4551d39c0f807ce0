import { createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';
import { CRASH_SECRET } from './constants.ts';

/** Delivers events as Pathfinder does, again and again until they are acknowledged. */
export interface Sender {
  /** Ids of which a reply said 2xx. The ledger: what is in it must not be lost. */
  readonly acknowledged: ReadonlySet<string>;
  /** Delivers until told to stop. */
  run(lanes: number): Promise<void>;
  stop(): void;
  /** Delivers what was never acknowledged, until it is. */
  settle(): Promise<void>;
  /** Delivers one event; whether it was acknowledged. */
  send(id: string, type?: string): Promise<boolean>;
  close(): void;
}

const REDELIVERED = 0.3;
// Leaves the workers the better half of the machine.
const PAUSE_MS = 5;
const ANSWER_MS = 5000;

/** @param pickPort - The port of a receiver that is up, if any is. */
export function createSender(pickPort: () => number | undefined): Sender {
  const acknowledged = new Set<string>();
  const unsure = new Set<string>();
  const agent = new Agent({ keepAlive: true });
  let stopped = false;
  let sent = 0;

  async function send(id: string, type = 'user.created'): Promise<boolean> {
    const port = pickPort();
    const status = port === undefined ? undefined : await post(agent, port, bodyOf(id, type));
    const taken = status === 202 || status === 200;
    if (taken) {
      unsure.delete(id);
      acknowledged.add(id);
    } else if (!acknowledged.has(id)) unsure.add(id);
    return taken;
  }

  return {
    acknowledged,
    send,

    async run(lanes) {
      const lane = async () => {
        while (!stopped) {
          await pause(PAUSE_MS);
          if (pickPort() === undefined) continue;
          const again =
            Math.random() < REDELIVERED ? pickOne([...unsure], `evt_${Math.floor(Math.random() * sent)}`) : undefined;
          await send(again ?? `evt_${sent++}`);
        }
      };
      await Promise.all(Array.from({ length: lanes }, lane));
    },

    stop() {
      stopped = true;
    },

    async settle() {
      while (unsure.size > 0) {
        for (const id of unsure) await send(id);
        await pause(PAUSE_MS);
      }
    },

    close() {
      agent.destroy();
    },
  };
}

function pickOne(some: readonly string[], otherwise: string): string {
  return some[Math.floor(Math.random() * some.length)] ?? otherwise;
}

export function bodyOf(id: string, type: string): Buffer {
  const data = { user: { id: 'user_1', username: 'ada', email: 'ada@example.com' } };
  return Buffer.from(JSON.stringify({ id, type, api_version: '1.0', created: 1_709_280_000, data }));
}

function post(agent: Agent, port: number, body: Buffer): Promise<number | undefined> {
  const signature = `sha256=${createHmac('sha256', CRASH_SECRET).update(body).digest('hex')}`;
  const headers = { 'content-type': 'application/json', 'x-pathfinder-signature': signature };
  return new Promise((resolve) => {
    const outgoing = request({ agent, port, host: '127.0.0.1', method: 'POST', headers }, (response) => {
      response.resume().on('close', () => resolve(response.complete ? response.statusCode : undefined));
    });
    // The receiver was killed, or stopped: the sender knows nothing.
    outgoing.on('error', () => resolve(undefined));
    outgoing.setTimeout(ANSWER_MS, () => outgoing.destroy());
    outgoing.end(body);
  });
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
