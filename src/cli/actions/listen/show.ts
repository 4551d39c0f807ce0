import type { Context } from '../../support/context.ts';
import type { Part } from '../../support/printer.ts';
import type { Examined } from './examine.ts';
import type { Forwarded } from './forward.ts';

/** A delivery that was answered. */
export interface Delivered {
  readonly at: string;
  readonly examined: Examined;
  readonly status: number;
  readonly ms: number;
  readonly bytes: number;
  readonly forwarded: Forwarded | undefined;
  readonly file: string | undefined;
}

/** Shows a delivery: a line, and below it what was wrong; or with `--json` an object in a line. */
export function show({ printer }: Context, { at, examined, status, ms, bytes, forwarded, file }: Delivered): void {
  const { verdict, id, type, why, fix } = examined;
  const failure = forwarded && 'error' in forwarded ? forwarded.error : undefined;
  printer.data({
    at,
    ...(type !== undefined && { type }),
    ...(id !== undefined && { id }),
    verdict,
    status,
    ms,
    bytes,
    ...(forwarded && { forwarded: failure ? { error: failure.code } : { status } }),
    ...(file !== undefined && { file }),
    ...(why !== undefined && { why, fix }),
  });
  const time = at.slice(11, 19);
  const good: Part = verdict === 'verified' ? ['green', '✓ verified'] : ['red', `✗ ${verdict}`];
  const answered: Part = [status < 300 ? 'green' : 'red', `← ${status}`];
  const name = type === undefined ? [] : [`${type.padEnd(20)}  `, `${id ?? ''}  `];
  printer.line(['dim', `${time}  `], '→ ', ...name, good, '  ', answered, ['dim', `  ${ms} ms`]);
  if (failure) printer.note(`          ${failure.message} ${failure.fix}`);
  if (why) printer.note(`          ${why} ${fix ?? ''}`);
}
