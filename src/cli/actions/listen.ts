import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { secretFingerprint } from '../../testing/index.ts';
import type { Context } from '../support/context.ts';
import { CliError, EXIT, usage } from '../support/failure.ts';
import { interrupted } from '../support/interrupted.ts';
import { findSecret, otherSecrets, readSecret } from '../support/settings.ts';
import { checkLocal, isLocalName, readTarget } from '../support/target.ts';
import { type ListenOptions, PATH } from './listen/options.ts';
import { createReceiver } from './listen/receiver.ts';

const DEFAULT_PORT = 4480;

/** Receives deliveries until it is interrupted, or has had as many as it was to have. */
export async function listen(context: Context, options: ListenOptions): Promise<number> {
  const { printer, terminal } = context;
  const secrets = await readSecrets(context, options.verify);
  const target = options.forwardTo === undefined ? undefined : readTarget(options.forwardTo, '--forward-to');
  if (target && !options.allowRemote) checkLocal(target, '--forward-to');
  const host = options.host ?? '127.0.0.1';
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, terminal.signal]);
  const receive = createReceiver(context, { options, secrets, target, signal, finish: () => done.abort() });
  const server = createServer((request, response) => {
    const { port } = server.address() as AddressInfo;
    receive(request, response, port).catch(() => response.destroy());
  });
  const port = await open(server, options.port ?? DEFAULT_PORT, host);
  if (!isLocalName(host)) {
    printer.warn(
      `Everybody who reaches ${host}:${port} can send to this command. Only --host 127.0.0.1 keeps it to this machine.`,
    );
  }
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}${PATH}`;
  printer.note(['bold', 'Receiver    '], url, [
    'dim',
    `  ${secrets.map((secret) => `secret ${secretFingerprint(secret)}`).join(', ')}`,
  ]);
  printer.noteData({ listening: url, ...(target && { forwarding: target.href }) });
  if (target) printer.note(['bold', 'Forwarding  '], target.href);
  printer.note(['dim', `Waiting for the first event. Try: pathfinder-webhooks send user.created --to ${url}`]);
  await interrupted(signal);
  server.close();
  // The last reply is out by now, or its sender has to ask again.
  setImmediate(() => server.closeAllConnections());
  return terminal.signal.aborted ? EXIT.interrupted : EXIT.ok;
}

async function readSecrets(
  { terminal, settings, globals, printer }: Context,
  verify: boolean,
): Promise<readonly string[]> {
  const secret = verify
    ? await readSecret(terminal, settings, globals, printer)
    : await findSecret(terminal, settings, globals, printer);
  return [...(secret ? [secret] : []), ...otherSecrets(settings, secret)].map(({ value }) => value);
}

function open(server: ReturnType<typeof createServer>, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE' || error.code === 'EACCES';
      if (taken)
        reject(
          new CliError('setup', 'port_taken', `Port ${port} is not free.`, 'Pass another one: --port 0 takes any.'),
        );
      else reject(usage(`${host} is no address of this machine.`, 'Leave --host away, or pass one of its addresses.'));
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}
