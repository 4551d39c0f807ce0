import { sha256Hex } from '#hmac';
import { type Arrival, type Arrived, acceptDelivery } from './accept.ts';
import type { Authenticator } from './authenticate.ts';
import type { Background } from './background.ts';
import type { WebhookBodyLimits, WebhookDelivery, WebhookDeliveryHead, WebhookReply } from './delivery.ts';
import type { WebhookError } from './errors.ts';
import type { EventSchemas, ReceivedWebhookEvent } from './events/index.ts';
import type { Settings } from './options.ts';
import { type Outcome, resultOfEnqueued, resultOfRun, type WebhookResult } from './outcome.ts';
import { parseWebhookEvent } from './parse.ts';
import type { WebhookQueue } from './queue.ts';
import type { WebhookLogger } from './report/logger.ts';
import type { Noted, Observer } from './report/observer.ts';
import type { Reporter } from './report/reporter.ts';
import type { ReceiveTrace } from './report/telemetry.ts';
import { replyTo, replyToError } from './respond.ts';
import type { Asker } from './run/ask.ts';
import type { Job } from './run/core.ts';
import { enqueueEvent } from './run/enqueue.ts';
import type { AskedStore } from './run/guarded-store.ts';
import type { OpenDeliveries } from './run/open-deliveries.ts';
import { SignedEvent } from './run/signed-event.ts';
import type { SingleFlight } from './run/single-flight.ts';
import { isThenable } from './shared/thenable.ts';
import { eventKey } from './store.ts';
import { ageProblem, readEvent } from './validate.ts';

/** What the flow of a delivery needs: made once by the handler. */
export interface Flow {
  readonly settings: Settings;
  readonly limits: WebhookBodyLimits;
  readonly authenticator: Authenticator;
  readonly events: EventSchemas | undefined;
  readonly store: AskedStore;
  readonly queue: WebhookQueue | undefined;
  readonly askQueue: Asker;
  readonly askSchema: Asker;
  readonly singleFlight: SingleFlight;
  readonly reporter: Reporter;
  readonly observer: Observer;
  readonly background: Background;
  readonly openDeliveries: OpenDeliveries;
}

/** A delivery that was verified and read. */
export interface Admitted {
  readonly event: SignedEvent;
  readonly tenant: string | undefined;
}

/** The way of a delivery from an adapter: bytes in, reply out. Never rejects. */
export async function receiveDelivery(
  flow: Flow,
  delivery: WebhookDelivery | Promise<WebhookDelivery>,
  logger: WebhookLogger,
): Promise<WebhookReply> {
  try {
    const arrive = async () => acceptDelivery(await delivery, flow.limits);
    return replyTo(await processDelivery(flow, arrive, logger));
  } catch (error) {
    // `processDelivery` throws nothing else.
    return replyToError(error as WebhookError);
  }
}

/**
 * The whole flow: bytes → who signed → event → queue or run → report → result.
 *
 * @throws WebhookError any code of the reply table, for what cannot be trusted, read or kept.
 */
export function processDelivery(flow: Flow, arrive: Arrival, logger: WebhookLogger): Promise<WebhookResult> {
  return flow.observer.receive((trace) => takeDelivery(flow, arrive, logger, trace));
}

async function takeDelivery(
  flow: Flow,
  arrive: Arrival,
  logger: WebhookLogger,
  trace?: Noted<ReceiveTrace>,
): Promise<WebhookResult> {
  const { queue, singleFlight, reporter, background, openDeliveries } = flow;
  const generation = openDeliveries.enter();
  let event: SignedEvent | undefined;
  try {
    const arriving = arrive();
    const arrived = isThenable(arriving) ? await arriving : arriving;
    const { body, head } = arrived;
    const startedAtMs = performance.now();
    const admitted = await admitDelivery(flow, arrived, logger);
    event = admitted.event;
    const { tenant } = admitted;
    if (trace) noteEvent(trace, admitted, flow.settings.now());
    const job: Job = { event, tenant, key: eventKey(tenant, event.id), body, bodyHash: sha256Hex(body) };
    if (queue) return await queueEvent(flow, queue, job, head);
    const { outcome, recorded, heard } = await singleFlight.process(job);
    const tellOutcome = (final: Outcome) => reporter.tellOutcome(admitted.event, final, startedAtMs);
    // Of a handler that is late it is told once, when the store knows how it ended.
    const told = recorded ? recorded.then(tellOutcome) : heard ? undefined : tellOutcome(outcome);
    if (told) background.run(told, head);
    background.sweepStore(head);
    return resultOfRun(outcome, event);
  } catch (error) {
    // A refusal before there is an event has been told by `admitDelivery`.
    if (event) reporter.tell(error, event, logger);
    throw reporter.refuse(error, logger);
  } finally {
    openDeliveries.leave(generation);
  }
}

/** From the bytes to the event; nothing is remembered, queued or run. @throws WebhookError as `processDelivery`. */
export async function admitDelivery(flow: Flow, arrived: Arrived, logger: WebhookLogger): Promise<Admitted> {
  const { body, digest, head } = arrived;
  const authenticated = flow.authenticator.authenticate(body, digest, head);
  const { tenant } = isThenable(authenticated) ? await authenticated : authenticated;
  // The body is looked into only now that it is verified; refusals from here on are told, since the sender is known.
  let event: ReceivedWebhookEvent | undefined;
  try {
    event = parseWebhookEvent(body);
    const problem = ageProblem(event.created, flow.settings.now(), flow.settings.age);
    if (problem) await refuseUnlessKnown(flow, event, tenant, problem);
    const reading = readEvent(event, body, flow.events, flow.askSchema);
    const read = isThenable(reading) ? await reading : reading;
    if (read.drift) {
      if (flow.settings.rejectDrift) throw read.drift;
      flow.reporter.tell(read.drift, read.event, logger);
    }
    return { event: read.event, tenant };
  } catch (error) {
    flow.reporter.tell(error, event && new SignedEvent(event, body, undefined, event), logger);
    throw error;
  }
}

// An event that is too old may finish if the store knows its id: its age was checked when it first arrived.
async function refuseUnlessKnown(
  { store }: Flow,
  event: ReceivedWebhookEvent,
  tenant: string | undefined,
  problem: WebhookError,
): Promise<void> {
  if (problem.code === 'too_old' && (await store.get(eventKey(tenant, event.id)))) return;
  throw problem;
}

function noteEvent(trace: Noted<ReceiveTrace>, { event, tenant }: Admitted, receivedAtMs: number): void {
  trace.eventId = event.id;
  trace.eventType = event.type;
  trace.tenant = tenant;
  trace.created = event.created;
  trace.receivedAtMs = receivedAtMs;
}

// The reply follows the queue's commit; workers run the event, here or elsewhere.
async function queueEvent(
  { settings, askQueue, reporter, observer, background }: Flow,
  queue: WebhookQueue,
  job: Job,
  head: WebhookDeliveryHead,
): Promise<WebhookResult> {
  const receipt = { nowMs: settings.now(), traceparent: observer.traceparent() };
  const result = resultOfEnqueued(await enqueueEvent(queue, askQueue, job, head, receipt), job.event);
  reporter.tellQueued(result);
  if (result.status === 'queued') background.drainQueue(head);
  background.sweepStore(head);
  return result;
}
