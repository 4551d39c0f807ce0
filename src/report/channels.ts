/** A channel of `node:diagnostics_channel`, as far as it is used here. */
interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
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
  | { channel(name: string): Channel }
  | undefined;
const handlerEnded = /* @__PURE__ */ diagnostics?.channel(HANDLER_ENDED);

/** Tells who listens that a handler ended. Costs nothing where nobody does; absent where the runtime has no channels. */
export function publishHandlerEnded(
  { event, tenant }: HandledEvent,
  handlerName: string,
  { status, runs }: Pick<HandlerEnded, 'status' | 'runs'>,
): void {
  if (!handlerEnded?.hasSubscribers) return;
  const message: HandlerEnded = { eventId: event.id, eventType: event.type, tenant, handlerName, status, runs };
  handlerEnded.publish(message);
}
