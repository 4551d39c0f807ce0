import { readFileSync } from 'node:fs';
import { WEBHOOK_EVENT_TYPES, WebhookHandler, webhookEventDefinitions } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { deliveryOf, recordingLogger, SECRET } from '../support/deliver.ts';
import { eventsPage } from './pages/events.ts';

const page = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/^### (\S+)\n.*?^```json\n(.*?)^```/gms)].map(([, type = '', json = '']) => ({
  type,
  json,
}));

describe('docs/events.md', () => {
  it('matches the schemas', async () => {
    await expect(eventsPage()).toMatchFileSnapshot('../../docs/events.md');
  });

  it('has an example of every type', () => {
    expect(examples.map(({ type }) => type)).toEqual(WEBHOOK_EVENT_TYPES);
  });

  it.each(examples)('shows a $type example that is received without a warning', async ({ type, json }) => {
    const errors: unknown[] = [];
    const logger = recordingLogger();
    const onError = (error: unknown) => void errors.push(error);
    const webhooks = new WebhookHandler({ secret: SECRET, onError, logger, validation: 'reject' });
    const seen: string[] = [];
    webhooks.on('*', (event) => void seen.push(event.type));
    expect((await webhooks.receive(deliveryOf(json))).status).toBe(200);
    expect([seen, errors]).toEqual([[type], []]);
  });

  it('fails the check when an example departs from its schema', async () => {
    const webhooks = new WebhookHandler({ secret: SECRET, logger: recordingLogger(), validation: 'reject' });
    const wrong = examples[0]?.json.replace('"username"', '"user_name"') ?? '';
    expect((await webhooks.receive(deliveryOf(wrong))).status).toBe(422);
  });

  it('marks exactly the documented fields as shown', () => {
    const shown = [...page.matchAll(/^\| `(\S+)` \| .* \| shown \|$/gm)].map(([, path]) => path);
    const documented = WEBHOOK_EVENT_TYPES.flatMap((type) => webhookEventDefinitions[type].documented);
    expect(shown).toEqual(documented);
  });
});
