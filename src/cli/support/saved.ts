import { parseDelivery, type SavedDelivery } from '../../testing/fixtures/saved-delivery.ts';
import { CliError } from './failure.ts';
import { readInput } from './files.ts';
import type { Terminal } from './terminal.ts';

/** A saved delivery. @throws CliError for a file that is none. */
export async function readSaved(terminal: Terminal, path: string): Promise<SavedDelivery> {
  const bytes = await readInput(terminal, path);
  try {
    return parseDelivery(bytes.toString('utf8'), path === '-' ? 'Stdin' : path);
  } catch (error) {
    const [cause = '', fix = ''] = (error as Error).message.split(/(?<=\.) (?=Save )/);
    throw new CliError('usage', 'no_saved_delivery', cause, fix);
  }
}
