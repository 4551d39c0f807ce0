import {
  isWebhookEventType,
  WEBHOOK_EVENT_TYPES,
  type WebhookEventType,
  webhookEventDefinitions,
  webhookEventSchemas,
} from '../../index.ts';
import { sampleEvent } from '../../testing/index.ts';
import type { Context } from '../support/context.ts';
import { checkEventType } from '../support/event-input.ts';
import { usage } from '../support/failure.ts';
import { plainJson } from '../support/plain.ts';

export interface EventsOptions {
  readonly sample?: boolean;
  readonly schema?: boolean;
}

/** Lists the event types, or shows one. */
export async function events({ printer }: Context, options: EventsOptions, type?: string): Promise<undefined> {
  if (type === undefined) {
    if (options.sample || options.schema)
      throw usage('--sample and --schema need a type.', 'Name one, such as user.created.');
    printer.data(WEBHOOK_EVENT_TYPES.map((name) => ({ type: name, description: descriptionOf(name) })));
    const width = Math.max(...WEBHOOK_EVENT_TYPES.map((name) => name.length));
    for (const name of WEBHOOK_EVENT_TYPES) printer.line(['bold', name.padEnd(width)], `  ${descriptionOf(name)}`);
    return undefined;
  }
  checkEventType(type, 'See `pathfinder-webhooks events`.');
  if (!isWebhookEventType(type)) return undefined;
  const sample = sampleEvent(type);
  const schema = await schemaOf(type);
  if (options.sample || options.schema) {
    const shown = options.sample ? sample : schema;
    printer.data(shown);
    printer.raw(`${plainJson(shown, 2)}\n`);
    return undefined;
  }
  printer.data({ type, description: descriptionOf(type), sample, schema });
  printer.line(['bold', type]);
  printer.line(descriptionOf(type));
  printer.raw(`\n${plainJson(sample, 2)}\n`);
  return undefined;
}

function descriptionOf(type: WebhookEventType): string {
  return webhookEventDefinitions[type].description;
}

async function schemaOf(type: WebhookEventType): Promise<unknown> {
  const { toJSONSchema } = await import('zod');
  return toJSONSchema(webhookEventSchemas[type]);
}
