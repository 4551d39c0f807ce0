import { mkdirSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatDelivery, type SavedDelivery } from '../../../testing/fixtures/saved-delivery.ts';
import type { DeliveryRequest } from '../../../testing/index.ts';

/** What {@link saveDelivery} calls a file. */
const NAME = /^\d{8}T\d{9}Z-\d{6}-[\w.-]+\.json$/;

let saved = 0;

/**
 * Saves a delivery in a folder that only its owner may open, under a name that sorts by time. The oldest of those that this command
 * has written go beyond `keep`.
 *
 * @returns The file's name.
 * @throws What the file system says.
 */
export function saveDelivery(
  folder: string,
  keep: number,
  delivery: DeliveryRequest,
  known: Required<Pick<SavedDelivery, 'receivedAt'>> & Pick<SavedDelivery, 'replyStatus'> & { readonly label: string },
): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { label, receivedAt = '', replyStatus } = known;
  const time = receivedAt.replace(/[-:.]/g, '');
  saved = (saved + 1) % 1_000_000;
  const name = `${time}-${String(saved).padStart(6, '0')}-${label.replace(/[^\w.-]+/g, '_').slice(0, 100)}.json`;
  writeFileSync(join(folder, name), formatDelivery(delivery, { receivedAt, replyStatus }), { mode: 0o600, flag: 'wx' });
  const written = readdirSync(folder)
    .filter((file) => NAME.test(file))
    .sort();
  for (const old of written.slice(0, Math.max(0, written.length - keep))) unlinkSync(join(folder, old));
  return name;
}
