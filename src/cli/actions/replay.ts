import { randomUUID } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { SavedDelivery } from '../../testing/fixtures/saved-delivery.ts';
import type { Context } from '../support/context.ts';
import { CliError, EXIT } from '../support/failure.ts';
import { fileProblem } from '../support/files.ts';
import { type EventNames, membersOf, namesIn } from '../support/json.ts';
import { readSaved } from '../support/saved.ts';
import { readSecret } from '../support/settings.ts';
import { signRaw } from '../support/sign-raw.ts';
import { targetOf } from '../support/target.ts';
import { deliverAll } from './send/deliver-all.ts';
import type { Outgoing } from './send/outgoing.ts';
import { report } from './send/report.ts';

export interface ReplayOptions {
  readonly to?: string;
  readonly last?: number;
  readonly failed?: boolean;
  readonly events?: readonly string[];
  readonly since?: number;
  readonly resign?: boolean;
  readonly newId?: boolean;
  readonly rate?: number;
  readonly timeout?: number;
  readonly dryRun?: boolean;
}

interface Saved extends EventNames {
  readonly path: string;
  readonly delivery: SavedDelivery;
}

/** Sends saved deliveries again. */
export async function replay(context: Context, options: ReplayOptions, ...args: unknown[]): Promise<number> {
  const { printer, settings, terminal, globals } = context;
  const url = targetOf(options.to, settings);
  const saved: Saved[] = [];
  for (const path of (args as string[][]).flat().flatMap((given) => filesAt(terminal.cwd, given))) {
    const delivery = await readSaved(terminal, path);
    saved.push({ path, delivery, ...namesIn(delivery.body) });
  }
  const chosen = choose(saved, options);
  if (chosen.length === 0) {
    throw new CliError('no', 'nothing_to_replay', 'None of the saved deliveries is meant.', 'Leave a filter away.');
  }
  if (options.dryRun) {
    printer.data({ wouldSend: chosen.map(({ path, id, type }) => ({ path, id, type })) });
    for (const { path, id = '', type = '' } of chosen) printer.line(`${path}  `, ['dim', `${type}  ${id}`]);
    printer.note(`Would send ${chosen.length} to ${url.href}. Nothing was sent.`);
    return EXIT.ok;
  }
  const signs = options.resign || options.newId;
  const secret = signs ? await readSecret(terminal, settings, globals, printer) : undefined;
  const make = (index: number) => outgoingOf(chosen[index] as Saved, url, secret?.value, options.newId === true);
  const { rate, timeout } = options;
  const sendings = await deliverAll(context, {
    url,
    count: chosen.length,
    make,
    ...(rate !== undefined && { rate }),
    ...(timeout !== undefined && { timeout }),
  });
  return report(context, url, sendings, secret?.source);
}

/** The file itself, or the files of a folder by their names: those of `listen --save` sort by time. */
function filesAt(cwd: string, path: string): readonly string[] {
  if (path === '-') return [path];
  try {
    if (!statSync(resolve(cwd, path)).isDirectory()) return [path];
    return readdirSync(resolve(cwd, path))
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => join(path, name));
  } catch (error) {
    throw new CliError('setup', 'file_unreadable', `${path} cannot be read: ${fileProblem(error)}.`, 'Check the path.');
  }
}

function choose(saved: readonly Saved[], { last, failed, events, since }: ReplayOptions): readonly Saved[] {
  const earliest = since === undefined ? undefined : new Date(Date.now() - since).toISOString();
  const chosen = saved.filter(({ delivery: { replyStatus, receivedAt }, type }) => {
    if (failed && (replyStatus === undefined || (replyStatus >= 200 && replyStatus < 300))) return false;
    if (events && !(type !== undefined && events.includes(type))) return false;
    return earliest === undefined || (receivedAt !== undefined && receivedAt >= earliest);
  });
  return last === undefined ? chosen : chosen.slice(-last);
}

function outgoingOf(
  { delivery, path, id, type }: Saved,
  url: URL,
  secret: string | undefined,
  newId: boolean,
): Outgoing {
  const name = { label: [type, id].filter(Boolean).join('  ') || path, id, type };
  if (secret === undefined) return { ...delivery, ...name };
  if (!newId) return { ...signRaw(delivery.body, secret, url, delivery.headers), ...name };
  const fresh = `evt_test_${randomUUID().replaceAll('-', '')}`;
  const body = withId(delivery, path, fresh);
  return { ...signRaw(body, secret, url, delivery.headers), label: `${type}  ${fresh}`, id: fresh, type };
}

function withId({ body }: SavedDelivery, path: string, id: string): Buffer {
  const event = membersOf(body);
  if (event.id === undefined) {
    throw new CliError(
      'usage',
      'no_event',
      `${path} holds no event, so it has no id to replace.`,
      'Leave --new-id away.',
    );
  }
  return Buffer.from(JSON.stringify({ ...event, id }));
}
