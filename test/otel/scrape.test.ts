import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { otel } from '@pathfinder/webhooks/otel';
import { memoryQueue } from '@pathfinder/webhooks/testing';
import { parser } from '@prometheus-io/lezer-promql';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { receiverWith } from '../support/receiver.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, 'docs/observability', file), 'utf8');

/** Every series of a scrape, by its name: the labels that it was seen with. */
type Series = ReadonlyMap<string, ReadonlySet<string>>;

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string };
}

const dashboard = JSON.parse(read('dashboard.json')) as { readonly panels: readonly Panel[] };
const alerts = parse(read('alerts.yml')) as { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
const panels = dashboard.panels.flatMap(({ title, targets }) => targets.map((target) => ({ title, ...target })));
const rules = alerts.groups.flatMap((group) => group.rules);
// Grafana puts a duration in the place of its variable.
const withInterval = (expr: string) => expr.replaceAll('$__rate_interval', '5m');

let scraped: Series = new Map();

beforeAll(async () => {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const server = createServer((request, response) => exporter.getMetricsRequestHandler(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const provider = new MeterProvider({ readers: [exporter] });
  metrics.setGlobalMeterProvider(provider);
  const queue = memoryQueue({ allowVolatile: true });
  const { webhooks, receive } = receiverWith({ queue, telemetry: otel(), retry: { attempts: 2, baseMs: 1 } });
  webhooks.on('*', () => Promise.reject(new Error('no')), { name: 'failing' });
  await webhooks.start();
  await receive();
  await receive({}, { signature: undefined });
  await vi.waitFor(async () => expect((await queue.stats()).dead).toBe(1));
  const { port } = server.address() as AddressInfo;
  scraped = seriesOf(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
  await webhooks.stop();
  await provider.shutdown();
  metrics.disable();
  server.close();
});

/** The series of a scrape, of this package's own names. */
function seriesOf(text: string): Series {
  const series = new Map<string, Set<string>>();
  for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)\{(.*)\} \S+$/gm)) {
    if (name === 'target_info') continue;
    const seen = series.get(name) ?? new Set();
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) seen.add(label);
    series.set(name, seen);
  }
  return series;
}

/** What is wrong with an expression, in sentences: its grammar, and names and labels that no scrape shows. */
function problemsOf(expr: string): string[] {
  const labels: string[] = [];
  const names: RegExp[] = [];
  const problems: string[] = [];
  parser.parse(expr).iterate({
    enter({ name, type, from, to }) {
      const text = expr.slice(from, to);
      if (type.isError) problems.push(`${expr}: is no PromQL at ${from}`);
      if (name === 'Identifier') names.push(new RegExp(`^${text}$`));
      if (name === 'LabelName' && text !== '__name__' && text !== 'le') labels.push(text);
      const [, pattern] = name === 'UnquotedLabelMatcher' ? (/^__name__=~"(.*)"$/.exec(text) ?? []) : [];
      if (pattern) names.push(new RegExp(`^${pattern}$`));
    },
  });
  if (names.length === 0) problems.push(`${expr}: names no metric`);
  const emitted = [...scraped.keys()];
  const unknown = names.filter((name) => !emitted.some((one) => name.test(one)));
  const found = emitted.filter((one) => names.some((name) => name.test(one)));
  const strange = labels.filter((label) => !found.some((name) => scraped.get(name)?.has(label)));
  return [
    ...problems,
    ...unknown.map((name) => `${expr}: nothing is called ${name.source}`),
    ...strange.map((label) => `${expr}: nothing has the label ${label}`),
  ];
}

/** The metrics that an expression asks for, of those in the scrape. */
function askedFor(expr: string): string[] {
  return [...scraped.keys()].filter((name) => new RegExp(name.replace(/_(bucket|count|sum)$/, '(\\W|_)')).test(expr));
}

describe('a Prometheus scrape', () => {
  it('shows exactly the documented series and labels', () => {
    const message = ['error_type', 'messaging_destination_name', 'messaging_operation_name', 'messaging_system'];
    const handler = ['pathfinder_webhooks_event_type', 'pathfinder_webhooks_handler_name'];
    const shown = Object.fromEntries(
      [...scraped].map(([name, labels]) => [name, [...labels].filter((label) => label !== 'otel_scope_name').sort()]),
    );
    const histogram = (name: string, labels: readonly string[]) => ({
      [`${name}_bucket`]: [...labels, 'le'].sort(),
      [`${name}_count`]: labels,
      [`${name}_sum`]: labels,
    });
    expect(shown).toEqual({
      messaging_client_consumed_messages_total: message,
      ...histogram('messaging_process_duration', message),
      pathfinder_webhooks_deliveries_total: [
        'error_type',
        'pathfinder_webhooks_event_type',
        'pathfinder_webhooks_outcome',
      ],
      ...histogram('pathfinder_webhooks_delivery_age', ['pathfinder_webhooks_event_type']),
      ...histogram('pathfinder_webhooks_handler_duration', ['error_type', ...handler]),
      pathfinder_webhooks_handler_retries_total: handler,
      pathfinder_webhooks_dead_letters_total: ['error_type', 'pathfinder_webhooks_event_type'],
      pathfinder_webhooks_inbox_event_count: ['pathfinder_webhooks_inbox_state'],
      pathfinder_webhooks_inbox_oldest_age: [],
    });
  });
});

describe('the Grafana dashboard', () => {
  it.each(panels)('queries only existing series in "$title"', ({ expr, legendFormat }) => {
    expect(problemsOf(withInterval(expr))).toEqual([]);
    // A legend may only name what the expression keeps.
    for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(expr).toContain(label);
  });

  it('shows every emitted series', () => {
    const asked = new Set(panels.flatMap(({ expr }) => askedFor(expr)));
    const base = (name: string) => name.replace(/_(bucket|count|sum)$/, '');
    const shown = new Set([...asked].map(base));
    expect([...scraped.keys()].filter((name) => !shown.has(base(name)))).toEqual([]);
  });
});

describe('the alert rules', () => {
  it.each(rules)('the alert $alert queries only existing series', ({ expr, annotations }) => {
    expect(problemsOf(expr)).toEqual([]);
    for (const [, label = ''] of annotations.summary.matchAll(/\$labels\.(\w+)/g)) expect(expr).toContain(label);
  });

  it('are exactly those that the guide explains', () => {
    const guide = readFileSync(join(root, 'docs/observability.md'), 'utf8');
    const explained = [...guide.matchAll(/^\| `(PathfinderWebhooks\w+)` \|/gm)].map(([, name]) => name);
    expect(explained).toEqual(rules.map(({ alert }) => alert));
  });
});

describe('the check of dashboard and alerts', () => {
  it('detects wrong names, labels and grammar', () => {
    expect(problemsOf('sum(rate(pathfinder_webhooks_delivery_total[5m]))')).toEqual([
      'sum(rate(pathfinder_webhooks_delivery_total[5m])): nothing is called ^pathfinder_webhooks_delivery_total$',
    ]);
    expect(problemsOf('sum by (event_id) (pathfinder_webhooks_deliveries_total)')).toEqual([
      'sum by (event_id) (pathfinder_webhooks_deliveries_total): nothing has the label event_id',
    ]);
    expect(problemsOf('{__name__=~"pathfinder_webhooks_age(_seconds)?"}')).toHaveLength(1);
    expect(problemsOf('sum(rate(pathfinder_webhooks_deliveries_total[5m])')).toHaveLength(1);
    expect(problemsOf('1 > 0')).toEqual(['1 > 0: names no metric']);
  });
});
