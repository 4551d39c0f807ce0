import { signWebhookPayload } from '../../testing/index.ts';
import type { Context } from '../support/context.ts';
import { readInput } from '../support/files.ts';
import { readSecret } from '../support/settings.ts';

export interface SignOptions {
  readonly body?: string;
}

/** Prints the signature header of a body. */
export async function sign(context: Context, { body = '-' }: SignOptions): Promise<undefined> {
  const { terminal, settings, globals, printer } = context;
  const secret = await readSecret(terminal, settings, globals, printer);
  const signature = signWebhookPayload(await readInput(terminal, body), secret.value);
  printer.data({ signature });
  printer.raw(`${signature}\n`);
  return undefined;
}
