import { mkdirSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatDelivery } from '../../../testing/fixtures/saved-delivery.ts';
import type { DeliveryRequest } from '../../../testing/index.ts';

/** The names of the files that {@link createSaver} writes. */
const NAME = /^\d{8}T\d{9}Z-\d{6}-[\w.-]+\.json$/;

/** The facts about a delivery that are saved with its bytes. */
export interface KnownOfDelivery {
  /** Type and id, or another name for people: a part of the file's name. */
  readonly label: string;
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly replyStatus: number;
}

/**
 * Saves deliveries in a folder that only its owner may open, under names that sort by time. The oldest of those that this command has
 * written go beyond `keep`.
 *
 * @returns Saves one, returns the file's name, and throws what the file system says.
 */
export function createSaver(folder: string, keep: number) {
  let count = 0;
  return (delivery: DeliveryRequest, { label, receivedAt, replyStatus }: KnownOfDelivery): string => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    count = (count + 1) % 1_000_000;
    const time = receivedAt.replace(/[-:.]/g, '');
    const name = `${time}-${String(count).padStart(6, '0')}-${label.replace(/[^\w.-]+/g, '_').slice(0, 100)}.json`;
    writeFileSync(join(folder, name), formatDelivery(delivery, { receivedAt, replyStatus }), {
      mode: 0o600,
      flag: 'wx',
    });
    const written = readdirSync(folder)
      .filter((file) => NAME.test(file))
      .sort();
    for (const old of written.slice(0, Math.max(0, written.length - keep))) unlinkSync(join(folder, old));
    return name;
  };
}
