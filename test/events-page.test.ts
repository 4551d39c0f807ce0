import { readFileSync } from 'node:fs';
import { WEBHOOK_EVENT_TYPES, WebhookHandler, webhookEventDefinitions } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { eventsPage } from '../scripts/event-docs.ts';
import { deliveryOf, recordingLogger, SECRET } from './support/deliver.ts';

const page = readFileSync(new URL('../docs/events.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/^### (\S+)\n.*?^```json\n(.*?)^```/gms)].map(([, type = '', json = '']) => ({
  type,
  json,
}));

describe('the page of the events', () => {
  it('is what the schemas make of it', () => {
    expect(page).toBe(eventsPage());
  });

  it('has an example of every type', () => {
    expect(examples.map(({ type }) => type)).toEqual(WEBHOOK_EVENT_TYPES);
  });

  it.each(examples)('shows a $type that is received without a word about its data', async ({ type, json }) => {
    const errors: unknown[] = [];
    const logger = recordingLogger();
    const onError = (error: unknown) => void errors.push(error);
    const webhooks = new WebhookHandler({ secret: SECRET, onError, logger, validation: 'reject' });
    const seen: string[] = [];
    webhooks.on('*', (event) => void seen.push(event.type));
    expect((await webhooks.receive(deliveryOf(json))).status).toBe(200);
    expect([seen, errors]).toEqual([[type], []]);
  });

  it('would be caught with an example that departs from its schema', async () => {
    const webhooks = new WebhookHandler({ secret: SECRET, logger: recordingLogger(), validation: 'reject' });
    const wrong = examples[0]?.json.replace('"username"', '"user_name"') ?? '';
    expect((await webhooks.receive(deliveryOf(wrong))).status).toBe(422);
  });

  it('marks as shown exactly the fields that the documentation shows', () => {
    const shown = [...page.matchAll(/^\| `(\S+)` \| .* \| shown \|$/gm)].map(([, path]) => path);
    const documented = WEBHOOK_EVENT_TYPES.flatMap((type) => webhookEventDefinitions[type].documented);
    expect(shown).toEqual(documented);
  });
});
