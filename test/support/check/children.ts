import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { emptyFolder, type OnTestFinished } from '../command-line.ts';
import { nowhere } from '../test-server.ts';

/** A receiver in a process of its own, which can be killed and started again. */
export interface ChildReceiver {
  readonly url: URL;
  /** Where it leaves its files. */
  readonly folder: string;
  /** A command for a shell that kills the process and starts another one. */
  readonly restart: string;
}

/** Starts a receiver on a free port; `command` is given the port and the folder. */
export async function childReceiver(
  command: (port: string, folder: string) => readonly [file: string, ...args: string[]],
  env: Readonly<Record<string, string>>,
  whenFinished: OnTestFinished,
): Promise<ChildReceiver> {
  const folder = emptyFolder(whenFinished);
  const url = await nowhere();
  const flag = join(folder, 'restart');
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const [file, ...args] = command(url.port, folder);
    child = spawn(file, args, { env: { ...process.env, ...env }, stdio: 'ignore' });
    while (!(await isListening(Number(url.port)))) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  async function kill(): Promise<void> {
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    if (child?.kill('SIGKILL')) await ended;
  }

  await start();
  let watching = true;
  const watch = async () => {
    while (watching) {
      if (existsSync(flag)) {
        await kill();
        await start();
        rmSync(flag, { force: true });
      }
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  };
  const watched = watch();
  whenFinished(async () => {
    watching = false;
    await watched;
    await kill();
  });
  return { url, folder, restart: `touch '${flag}'; while [ -e '${flag}' ]; do sleep 0.01; done` };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('connect', () => socket.destroy());
    socket.once('error', () => resolve(false));
  });
}
