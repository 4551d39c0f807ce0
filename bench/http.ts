import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { ensureBuild } from '../scripts/ensure-build.ts';
import { type Gate, lowerQuartile, printTable, type Timing } from './harness.ts';
import { compile } from './http/compile.ts';
import { type Load, openLoad, requestOf } from './http/load.ts';
import { SERVERS } from './http/servers.ts';
import { eventBody, sign } from './usual.ts';

const CONNECTIONS = 50;
const REQUESTS = 2000;
const WARM_UP_ROUNDS = 3;
const ROUNDS = 15;

interface Receiver {
  readonly framework: string;
  readonly way: string;
  readonly child: ChildProcess;
  readonly load: Load;
  readonly cpu: number[];
}

/** Each adapter with everything it does, beside the same framework with the same work, or the HMAC alone, by hand. */
export async function benchHttp(): Promise<Gate[]> {
  await ensureBuild();
  const script = await compile('http/process');
  const ways = Object.entries(SERVERS).flatMap(([framework, of]) =>
    Object.keys(of).map((way) => [framework, way] as const),
  );
  const receivers = await Promise.all(ways.map(([framework, way]) => start(script, framework, way)));
  try {
    for (let round = 0; round < ROUNDS + WARM_UP_ROUNDS; round++) {
      // In turn from another one each time: whoever comes first after a pause meets another machine.
      for (let i = 0; i < receivers.length; i++) {
        const receiver = receivers[(i + round) % receivers.length];
        if (receiver) await measure(receiver, round);
      }
    }
  } finally {
    for (const { child, load } of receivers) {
      load.close();
      child.kill();
    }
  }
  return Object.keys(SERVERS).flatMap((framework) => report(framework, receivers));
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

function report(framework: string, receivers: readonly Receiver[]): Gate[] {
  const ours = receivers.filter((receiver) => receiver.framework === framework);
  const microseconds = new Map(ours.map(({ way, cpu }) => [way, lowerQuartile(cpu)]));
  const alone = microseconds.get('HMAC alone') ?? 0;
  const timings: Timing[] = [...microseconds].map(([name, us]) => ({ name, microseconds: us, ratio: alone / us }));
  printTable(
    `${framework}, 1 kB, ${CONNECTIONS} connections (CPU of the server per request; ratio to the first)`,
    timings,
  );
  const packaged = microseconds.get('package') ?? 0;
  const against = (way: string, least: number): Gate => ({
    what: `${framework}: the package against ${way}`,
    ratio: (microseconds.get(way) ?? 0) / packaged,
    least,
  });
  return [
    against('by hand', 0.9),
    ...(framework === 'Express 5' ? [against('HMAC alone', 1)] : []),
    ...(microseconds.has('@octokit/webhooks') ? [against('@octokit/webhooks', 1)] : []),
  ];
}

async function start(script: string, framework: string, way: string): Promise<Receiver> {
  const child = fork(script, [framework, way], { execArgv: [] });
  const port = await told(child);
  return { framework, way, child, load: await openLoad(port, CONNECTIONS), cpu: [] };
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
