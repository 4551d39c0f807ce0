import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { WEBHOOK_EVENT_TYPES, type WebhookEventType, webhookEventDefinitions } from '@pathfinder/webhooks';
import { sampleEvent } from '@pathfinder/webhooks/testing';
import * as z from 'zod';
import type { EventDefinition } from '../../../src/events/definition.ts';

const page = fileURLToPath(new URL('../../../docs/events.md', import.meta.url));
const MARK = '<!-- From here on the page is made from the schemas: `npm run docs:pages` writes it. -->';
const WHEN = { id: 'evt_1815', created: 1_709_280_000 };

/** A node of a JSON Schema, as far as events have it. */
interface Node {
  readonly type?: string;
  readonly anyOf?: readonly Node[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
}

interface Field {
  readonly path: string;
  readonly type: string;
  readonly isRequired: boolean;
}

/** The page of the events: what somebody wrote, and below it every type. */
export function eventsPage(): string {
  const [written = ''] = readFileSync(page, 'utf8').split(MARK);
  const index = WEBHOOK_EVENT_TYPES.map(
    (type) => `| [\`${type}\`](#${anchorOf(type)}) | ${definitionOf(type).description} |`,
  );
  const table = ['| type | when it is sent |', '|---|---|', ...index].join('\n');
  return `${written}${MARK}\n\n## All types\n\n${table}\n\n${WEBHOOK_EVENT_TYPES.map(sectionOf).join('\n\n')}\n`;
}

function sectionOf(type: WebhookEventType): string {
  const { description, payload, documented, previousAttributes } = definitionOf(type);
  const rows = fieldsOf(type).map(
    ({ path, type: kind, isRequired }) =>
      `| \`${path}\` | ${kind} | ${isRequired ? 'yes' : ''} | ${documented.includes(path) ? 'shown' : 'inferred'} |`,
  );
  const parts = [
    `### ${type}`,
    description,
    `Pathfinder's documentation calls the payload "${payload}".`,
    ['| field of `data` | type | always there | in the documentation |', '|---|---|---|---|', ...rows].join('\n'),
  ];
  if (previousAttributes)
    parts.push(`\`previous_attributes\` has the earlier values of the ${previousAttributes}'s fields that changed.`);
  parts.push(`\`\`\`json\n${JSON.stringify(exampleOf(type), undefined, 2)}\n\`\`\``);
  return parts.join('\n\n');
}

/** The same on every run, and valid. */
function exampleOf(type: WebhookEventType): object {
  return sampleEvent(type, WHEN);
}

function definitionOf(type: WebhookEventType): EventDefinition {
  return webhookEventDefinitions[type];
}

/** The leaves of `data`, in the order of the schema. */
function fieldsOf(type: WebhookEventType): readonly Field[] {
  return leavesOf(z.toJSONSchema(definitionOf(type).schema(), { io: 'input' }) as Node, '', true);
}

function leavesOf(node: Node, path: string, isRequired: boolean): Field[] {
  const { properties, required = [], items } = node;
  if (properties) {
    return Object.entries(properties).flatMap(([name, child]) =>
      leavesOf(child, path ? `${path}.${name}` : name, isRequired && required.includes(name)),
    );
  }
  if (items?.properties) return leavesOf(items, `${path}[]`, isRequired);
  return [{ path, type: typeOf(node), isRequired }];
}

function typeOf({ type, anyOf, items }: Node): string {
  if (anyOf) return anyOf.map(typeOf).join(' or ');
  if (type === 'array') return `${items ? typeOf(items) : 'any'}[]`;
  return type ?? 'any';
}

function anchorOf(type: string): string {
  return type.replaceAll('.', '');
}
