/**
 * For tests, tools and demos, on Node: sample events, signed deliveries, why a signature fails, and Pathfinder in a box.
 *
 * @packageDocumentation
 */

export { type MemoryQueueOptions, memoryQueue } from '../queues/memory.ts';
export type { BodyCause } from './body-slips.ts';
export { diagnoseSignature, type SecretsToTry, type SignatureCause, type SignatureDiagnosis } from './diagnose.ts';
export {
  describeWebhookQueue,
  type OpenQueue,
  type OpenQueueOptions,
  type QueueBench,
  type QueueCase,
  type QueueContractOptions,
  type QueueKind,
  queueContract,
  runQueueCase,
} from './queue-contract.ts';
export { type DeepPartial, type SampleEventOptions, type SampleOverrides, sampleEvent } from './sample-event.ts';
export type { SandboxAttempt } from './sandbox/deliveries.ts';
export type { SandboxOptions } from './sandbox/options.ts';
export { createSandbox, type Sandbox } from './sandbox/sandbox.ts';
export type { SecretCause } from './secret-slips.ts';
export { secretFingerprint, signWebhookPayload } from './sign.ts';
export type { HeadersLike } from './signature-header.ts';
export {
  type SignedBody,
  type SignedEventOptions,
  type SignedRequest,
  type SignedRequestOptions,
  type SigningOptions,
  signedRequest,
} from './signed-request.ts';
export {
  describeWebhookStore,
  type OpenedStore,
  type OpenStore,
  type OpenStoreOptions,
  runStoreCase,
  type StoreBench,
  type StoreCase,
  type StoreContractOptions,
  type StoreKind,
  storeContract,
  type TestRunner,
} from './store-contract.ts';
export {
  WebhookTestError,
  type WebhookTestErrorCode,
  WebhookTester,
  type WebhookTesterOptions,
  type WebhookTestResponse,
} from './webhook-tester.ts';
