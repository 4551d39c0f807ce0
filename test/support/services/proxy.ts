import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * A way in which a network fails its connections. `reset`: ends them at once, and refuses new ones. `delay`: each piece comes 20 ms late.
 * `cut`: requests arrive, answers do not, and then the connection ends. `blackhole`: nothing arrives until it is healed.
 */
export type NetworkFault = 'reset' | 'delay' | 'cut' | 'blackhole';

const DELAY_MS = 20;

/** A network between a client and a server of the tests. */
export interface Proxy {
  readonly port: number;
  /** Does this to all connections, old and new, until it is healed. */
  fault(fault: NetworkFault): void;
  heal(): void;
  close(): Promise<void>;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

/** @param rewrite - Changes what the server says. */
export async function startProxy(target: URL, rewrite: (data: Buffer) => Buffer = (data) => data): Promise<Proxy> {
  const links = new Set<Link>();
  let fault: NetworkFault | undefined;
  let waiting: (() => void)[] = [];

  function end({ client, server }: Link): void {
    client.resetAndDestroy();
    server.destroy();
  }

  /** Sends on what one side said, in the way the network is in when it arrives. */
  function pass(link: Link, from: 'client' | 'server', data: Buffer): void {
    const to = from === 'client' ? link.server : link.client;
    const deliver = () => void to.write(data);
    if (fault === 'reset') end(link);
    else if (fault === 'blackhole' || waiting.length > 0) waiting.push(deliver);
    else if (fault === 'delay') setTimeout(deliver, DELAY_MS);
    else if (fault === 'cut' && from === 'server') end(link);
    else deliver();
  }

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const link: Link = { client, server: upstream };
    links.add(link);
    if (fault === 'reset') end(link);
    client.on('data', (data) => pass(link, 'client', data));
    upstream.on('data', (data) => pass(link, 'server', rewrite(data)));
    for (const socket of [client, upstream]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        links.delete(link);
        // A peer that is gone is not to be heard of while nothing arrives.
        const other = socket === client ? upstream : client;
        if (fault === 'blackhole') waiting.push(() => other.destroy());
        else other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    fault(next) {
      fault = next;
      if (next === 'reset') for (const link of links) end(link);
    },
    heal() {
      fault = undefined;
      const late = waiting;
      waiting = [];
      for (const deliver of late) deliver();
    },
    async close() {
      for (const link of links) end(link);
      server.close();
    },
  };
}
