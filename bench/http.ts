import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { importBuilt } from './built.ts';
import { type Gate, median, printTable } from './harness.ts';
import { eventBody, sign } from './usual.ts';

const CONNECTIONS = 50;
const REQUESTS = 1500;
const ROUNDS = 17;

interface Receiver {
  readonly name: string;
  readonly port: number;
  readonly child: ChildProcess;
  readonly agent: Agent;
  readonly cpu: number[];
}

/** The Express adapter with everything it does, beside a bare Express route that only verifies. */
export async function benchHttp(): Promise<Gate[]> {
  await importBuilt();
  const receivers = [
    await start('express.raw(), createHmac and timingSafeEqual', 'usual'),
    await start('toExpressHandler, one handler, fresh ids', 'ours'),
  ];
  try {
    for (let round = 0; round < ROUNDS + 2; round++) {
      for (const receiver of receivers) {
        const bodies = Array.from({ length: REQUESTS }, (_, i) =>
          eventBody(`evt_${receiver.port}_${round}_${i}`, 1000),
        );
        const deliveries = bodies.map((body) => [body, sign(body)] as const);
        const before = await cpuOf(receiver);
        await sendAll(receiver, deliveries);
        const used = (await cpuOf(receiver)) - before;
        if (round >= 2) receiver.cpu.push(used / REQUESTS);
      }
    }
  } finally {
    for (const { child, agent } of receivers) {
      agent.destroy();
      child.kill();
    }
  }
  const medians = receivers.map(({ cpu }) => median(cpu));
  const timings = receivers.map(({ name }, i) => {
    const microseconds = medians[i] ?? 0;
    return { name, microseconds, ratio: (medians[0] ?? 0) / microseconds };
  });
  printTable(
    `Express 5 over HTTP, 1 kB, ${CONNECTIONS} connections (CPU of the server per request; ratio to the first)`,
    timings,
  );
  return [
    { what: 'the Express adapter, against a bare route that only verifies', ratio: timings[1]?.ratio ?? 0, least: 1 },
  ];
}

async function start(name: string, kind: string): Promise<Receiver> {
  const script = fileURLToPath(new URL('http-server.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, kind], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  return { name, port: Number(line.toString()), child, agent, cpu: [] };
}

async function cpuOf({ port }: Receiver): Promise<number> {
  return Number(await (await fetch(`http://127.0.0.1:${port}/cpu`)).text());
}

async function sendAll({ port, agent }: Receiver, deliveries: readonly (readonly [Buffer, string])[]): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let delivery = deliveries[next++]; delivery; delivery = deliveries[next++])
      await send(port, agent, ...delivery);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, lane));
}

function send(port: number, agent: Agent, body: Buffer, signature: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': body.length,
      'x-pathfinder-signature': signature,
    };
    const sent = request({ port, host: '127.0.0.1', method: 'POST', path: '/webhooks', agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
      response.resume();
      response.on('end', resolve);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
