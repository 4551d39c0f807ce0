import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Listening {
  readonly port: number;
  readonly origin: string;
  close(): Promise<void>;
}

export interface ListenOptions {
  /** How long an idle connection is kept. Default Node's, 5000. */
  readonly keepAliveTimeout?: number;
}

/** Serves on a free port of the loopback interface. */
export async function listen(listener: RequestListener, options: ListenOptions = {}): Promise<Listening> {
  const server = createServer(options, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Serves a webhook's route. */
export async function listenAt(path: string, listener: RequestListener, options?: ListenOptions) {
  const { origin, close } = await listen(listener, options);
  return { url: `${origin}${path}`, close };
}
