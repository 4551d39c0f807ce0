import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebhookHandler } from '@pathfinder/webhooks';
import { DATABASE } from '../../../examples/demo/fixtures.ts';
import { openDatabase } from '../sqlite-driver.ts';

type Context = Parameters<Parameters<WebhookHandler['on']>[1]>[1];

const db = openDatabase(join(process.argv[2] ?? '.', DATABASE));
const { on } = WebhookHandler.prototype;
WebhookHandler.prototype.on = function onWithEffectFirst(this: WebhookHandler, type, handler, options) {
  const makeEffect = (effect: (db: unknown) => void) => effect(db);
  const run: typeof handler = async (event, { attempt }) => {
    await handler(event, { attempt, commit: makeEffect } as unknown as Context);
    // Time to die between the effect and its mark.
    await delay(100);
  };
  return on.call(this, type, run as never, { ...options, name: 'sendMail' } as never);
} as typeof on;

await import('../../../examples/demo/receiver.ts');
