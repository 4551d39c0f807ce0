import { connect, type Socket } from 'node:net';

/** Connections that stay open, and send requests as fast as they are answered. */
export interface Load {
  /** Sends each request once, over whichever connection is free. Rejects when one is not answered with 200. */
  send(requests: readonly Buffer[]): Promise<void>;
  close(): void;
}

/** Written for these servers alone, so that the sender takes as little as it can of the machine that both share. */
export async function openLoad(port: number, connections: number): Promise<Load> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
  return {
    async send(requests) {
      let next = 0;
      await Promise.all(
        sockets.map(async (socket) => {
          for (let one = requests[next++]; one; one = requests[next++]) await exchange(socket, one);
        }),
      );
    },
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** A delivery as bytes. With octokit's headers too, so that all servers are sent the same. */
export function requestOf(path: string, body: Buffer, signature: string): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    'content-type: application/json',
    `content-length: ${body.length}`,
    'user-agent: Pathfinder-Webhooks/1.0',
    'accept: */*',
    `x-pathfinder-signature: ${signature}`,
    `x-hub-signature-256: ${signature}`,
    'x-github-event: push',
    'x-github-delivery: b4749b80-8b5c-11f0-9f0d-3c7e1c1a1f4e',
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.setNoDelay()));
    socket.on('error', reject);
  });
}

function exchange(socket: Socket, request: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const onData = (piece: Buffer) => {
      text += piece.toString('latin1');
      if (!isWhole(text)) return;
      socket.off('data', onData).off('close', onClose);
      if (text.startsWith('HTTP/1.1 200 ')) resolve();
      else reject(new Error(text.slice(0, text.indexOf('\r\n'))));
    };
    const onClose = () => reject(new Error('The server closed the connection.'));
    if (socket.destroyed) return onClose();
    socket.on('data', onData).on('close', onClose).write(request);
  });
}

function isWhole(text: string): boolean {
  const bodyAt = text.indexOf('\r\n\r\n') + 4;
  if (bodyAt < 4) return false;
  const [, length] = /\r\ncontent-length: (\d+)\r\n/i.exec(text) ?? [];
  return length === undefined ? text.endsWith('0\r\n\r\n') : text.length >= bodyAt + Number(length);
}
