import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { ensureBuild } from '../test/support/build.ts';
import { type Gate, lowerQuartile, median, printTable, type Timing } from './harness.ts';
import { compile } from './http/compile.ts';
import { type Load, openLoad, requestOf } from './http/load.ts';
import { SERVERS } from './http/servers.ts';
import { eventBody, sign } from './usual.ts';

const CONNECTIONS = 50;
const REQUESTS = 500;
const WARM_UP_ROUNDS = 10;
const ROUNDS = 16;
// Two processes of the same code differ by a few percent for as long as they live, so each way has several.
const GENERATIONS = 5;

interface Receiver {
  readonly way: string;
  readonly child: ChildProcess;
  readonly load: Load;
  /** CPU time per request in microseconds, by round. */
  readonly cpu: number[];
}

/** Each adapter with everything it does, beside the same framework with the same work, or the HMAC alone, by hand. */
export async function benchHttp(): Promise<Gate[]> {
  await ensureBuild();
  const script = await compile('http/process');
  const gates: Gate[] = [];
  for (const framework of Object.keys(SERVERS)) {
    const generations: Receiver[][] = [];
    for (let i = 0; i < GENERATIONS; i++) generations.push(await measureAll(script, framework));
    gates.push(...report(framework, generations));
  }
  return gates;
}

async function measureAll(script: string, framework: string): Promise<Receiver[]> {
  const ways = Object.keys(SERVERS[framework] ?? {});
  const receivers = await Promise.all(ways.map((way) => start(script, framework, way)));
  try {
    for (let round = 0; round < ROUNDS + WARM_UP_ROUNDS; round++) {
      // In turn from another one each time: whoever comes first after a pause meets another machine.
      for (let i = 0; i < receivers.length; i++) {
        const receiver = receivers[(i + round) % receivers.length];
        if (receiver) await measure(receiver, round);
      }
    }
    return receivers;
  } finally {
    for (const { child, load } of receivers) {
      load.close();
      child.kill();
    }
  }
}

async function measure(receiver: Receiver, round: number): Promise<void> {
  const requests = Array.from({ length: REQUESTS }, (_, i) => {
    const body = eventBody(`evt_${receiver.child.pid}_${round}_${i}`, 1000);
    return requestOf('/webhooks', body, sign(body));
  });
  const before = await cpuOf(receiver);
  await receiver.load.send(requests);
  const used = (await cpuOf(receiver)) - before;
  if (round >= WARM_UP_ROUNDS) receiver.cpu.push(used / REQUESTS);
}

function report(framework: string, generations: readonly (readonly Receiver[])[]): Gate[] {
  const cpuOfWay = (way: string) => generations.map((receivers) => receivers.find((one) => one.way === way)?.cpu ?? []);
  // Round by round, since both then met the same machine.
  const ratio = (way: string, other: string) => {
    const others = cpuOfWay(other);
    return median(cpuOfWay(way).map((cpu, i) => median(cpu.map((used, round) => (others[i]?.[round] ?? 0) / used))));
  };
  const ways = Object.keys(SERVERS[framework] ?? {});
  const timings: Timing[] = ways.map((name) => {
    return { name, microseconds: median(cpuOfWay(name).map(lowerQuartile)), ratio: ratio(name, 'HMAC alone') };
  });
  printTable(
    `${framework}, 1 kB, ${CONNECTIONS} connections (CPU of the server per request; ratio to the first)`,
    timings,
  );
  const against = (way: string, least: number): Gate => {
    return { what: `${framework}: the package against ${way}`, ratio: ratio('package', way), least };
  };
  return [
    against('by hand', 0.9),
    ...(framework === 'Express 5' ? [against('HMAC alone', 1)] : []),
    ...(ways.includes('@octokit/webhooks') ? [against('@octokit/webhooks', 1)] : []),
  ];
}

async function start(script: string, framework: string, way: string): Promise<Receiver> {
  const child = fork(script, [framework, way], { execArgv: [] });
  const port = await told(child);
  return { way, child, load: await openLoad(port, CONNECTIONS), cpu: [] };
}

async function cpuOf({ child }: Receiver): Promise<number> {
  child.send('cpu');
  return told(child);
}

async function told(child: ChildProcess): Promise<number> {
  const over = new AbortController();
  const ended = once(child, 'exit', over).then(() => Promise.reject(new Error('A server of the benchmark ended.')));
  try {
    const [message] = (await Promise.race([once(child, 'message', over), ended])) as [number];
    return message;
  } finally {
    over.abort();
  }
}
