/** A channel of `node:diagnostics_channel`, as far as it is used here. */
interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

/** Five channels of one name, for the start, the ends and the error of some work. */
interface TracingChannel extends Record<'end' | 'asyncStart' | 'asyncEnd' | 'error', Channel> {
  readonly hasSubscribers?: boolean;
  readonly start: Channel & { runStores<T>(context: object, work: () => T): T };
}

interface DiagnosticsChannel {
  channel(name: string): Channel;
  tracingChannel?(name: string): TracingChannel;
}

/** A handler ended, or its event has to wait for its lane: the message of the channel `pathfinder.webhooks.handler_ended`. */
export interface HandlerEnded {
  readonly eventId: string;
  readonly eventType: string;
  readonly tenant: string | undefined;
  readonly handlerName: string;
  readonly status: 'succeeded' | 'failed' | 'waiting';
  /** Attempts within this claim. */
  readonly runs: number;
}

interface HandledEvent {
  readonly event: { readonly id: string; readonly type: string };
  readonly tenant: string | undefined;
}

export const HANDLER_ENDED = 'pathfinder.webhooks.handler_ended';

const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
const diagnostics = /* @__PURE__ */ process?.getBuiltinModule?.('node:diagnostics_channel') as
  | DiagnosticsChannel
  | undefined;
const handlerEnded = /* @__PURE__ */ diagnostics?.channel(HANDLER_ENDED);
const refused = /* @__PURE__ */ diagnostics?.channel('pathfinder.webhooks.rejected');

/** The tracing channels, by what they tell of. Absent where the runtime has none. */
const tracingChannels = /* @__PURE__ */ openTracingChannels();

function openTracingChannels() {
  const open = (kind: string) => diagnostics?.tracingChannel?.(`pathfinder.webhooks.${kind}`);
  return { receive: open('receive'), process: open('process'), handler: open('handler') };
}

/** Whether anybody listens to this kind of work. */
export function isListenedTo(kind: keyof typeof tracingChannels): boolean {
  return tracingChannels[kind]?.hasSubscribers === true;
}

/** Tells the subscribers of a kind of work that it begins, and runs it. The `trace` is the same object on all channels. */
export function runOnChannel<T>(kind: keyof typeof tracingChannels, trace: object, work: () => T): T {
  const channel = tracingChannels[kind];
  if (!channel?.hasSubscribers) return work();
  try {
    return channel.start.runStores(trace, work);
  } finally {
    channel.end.publish(trace);
  }
}

/** Tells the subscribers of a kind of work that it is over, in the order of `tracePromise`. */
export function publishEnded(kind: keyof typeof tracingChannels, trace: { readonly error?: unknown }): void {
  const channel = tracingChannels[kind];
  if (!channel?.hasSubscribers) return;
  if (trace.error !== undefined) channel.error.publish(trace);
  channel.asyncStart.publish(trace);
  channel.asyncEnd.publish(trace);
}

/** Tells who listens that a handler ended. Costs nothing where nobody does. */
export function publishHandlerEnded(
  { event, tenant }: HandledEvent,
  handlerName: string,
  { status, runs }: Pick<HandlerEnded, 'status' | 'runs'>,
): void {
  if (!handlerEnded?.hasSubscribers) return;
  const message: HandlerEnded = { eventId: event.id, eventType: event.type, tenant, handlerName, status, runs };
  handlerEnded.publish(message);
}

/** Tells who listens that a delivery was refused, by the error's code and nothing else: its sender may be anybody. */
export function publishRejected(code: string): void {
  if (refused?.hasSubscribers) refused.publish({ code });
}
