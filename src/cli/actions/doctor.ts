import type { Context } from '../support/context.ts';
import { EXIT } from '../support/failure.ts';
import type { StoreOptions } from '../support/store.ts';
import { targetOf } from '../support/target.ts';
import type { Check } from './doctor/check.ts';
import { checkEndpoint } from './doctor/endpoint.ts';
import { checkReceiver } from './doctor/receiver.ts';
import { checkSetup } from './doctor/setup.ts';
import { checkStore } from './doctor/store.ts';

const DEFAULT_TIMEOUT_MS = 5000;
const MARKS = { ok: ['green', '✓ '], problem: ['red', '✗ '], skipped: ['dim', '– '] } as const;

export interface DoctorOptions extends StoreOptions {
  readonly to?: string;
  readonly offline?: boolean;
  readonly timeout?: number;
}

/** Looks for what is wrong with a receiver, and says how to mend it. */
export async function doctor(context: Context, options: DoctorOptions): Promise<number> {
  const { printer } = context;
  const url = targetOf(options.to, context.settings);
  const checks: Check[] = [];
  const note = (check: Check) => {
    checks.push(check);
    const { id, state, detail, fix } = check;
    printer.line(MARKS[state], ['bold', id.padEnd(16)], `  ${detail}`);
    if (fix) printer.line(' '.repeat(20), ['yellow', 'fix: '], fix);
  };
  const secret = await checkSetup(context, note);
  if (!options.offline && secret) {
    await checkReceiver(context, { url, secret, timeoutMs: options.timeout ?? DEFAULT_TIMEOUT_MS }, note);
  }
  await checkStore(context, options, note);
  await checkEndpoint(context, url, note);
  const problems = checks.filter(({ state }) => state === 'problem').length;
  printer.data({
    ok: problems === 0,
    checks: checks.map(({ id, state, detail, fix }) => ({
      id,
      ok: state !== 'problem',
      state,
      detail,
      ...(fix && { fix }),
    })),
  });
  printer.note(problems === 0 ? 'No problem found.' : `${problems} problem${problems === 1 ? '' : 's'}.`);
  return problems === 0 ? EXIT.ok : EXIT.no;
}
