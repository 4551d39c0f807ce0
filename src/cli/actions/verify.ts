import { diagnoseSignature } from '../../testing/index.ts';
import type { Context } from '../support/context.ts';
import { CliError, EXIT, usage } from '../support/failure.ts';
import { readInput } from '../support/files.ts';
import { readSaved } from '../support/saved.ts';
import { findSecret, otherSecrets, SECRET } from '../support/settings.ts';

export interface VerifyOptions {
  readonly body?: string;
  readonly signature?: string;
  readonly file?: string;
}

/** Checks a signature, and says why it fails. */
export async function verify(context: Context, options: VerifyOptions): Promise<number> {
  const { terminal, settings, globals, printer } = context;
  const { body, headers } = await readDelivery(context, options);
  // An unusable secret is a finding like any other, so it is not refused here.
  const secret = await findSecret(terminal, settings, globals, printer);
  if (!secret) {
    throw new CliError(
      'setup',
      'secret_missing',
      `There is no signing secret: ${SECRET} is not set.`,
      'Set it, or pass --secret-stdin.',
    );
  }
  const secrets = [secret, ...otherSecrets(settings, secret)].map(({ value }) => value);
  const { ok, cause, why, fix, fingerprint } = diagnoseSignature(body, headers, secrets);
  printer.data({ ok, cause, why, fix, fingerprint });
  if (!ok) {
    printer.failure(new CliError('no', cause, why, fix));
    return EXIT.no;
  }
  printer.line(['green', '✓ '], why);
  return EXIT.ok;
}

async function readDelivery({ terminal }: Context, { body, signature, file }: VerifyOptions) {
  if (file !== undefined) {
    if (body !== undefined) throw usage('--file and --body exclude each other.', 'Pass one of them.');
    const saved = await readSaved(terminal, file);
    return {
      body: saved.body,
      headers: signature === undefined ? saved.headers : { 'x-pathfinder-signature': signature },
    };
  }
  if (body === undefined || signature === undefined) {
    throw usage('There is nothing to verify.', 'Pass --body and --signature, or --file.');
  }
  return { body: await readInput(terminal, body), headers: { 'x-pathfinder-signature': signature } };
}
