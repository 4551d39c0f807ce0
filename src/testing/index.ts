/**
 * For tests, tools and demos, on Node: sample events, signed deliveries, why a signature fails, and Pathfinder in a box.
 *
 * @module @pathfinder/webhooks/testing
 */

export { type MemoryQueueOptions, memoryQueue } from '../engines/memory/queue.ts';
export type { TestRunner } from './contracts/contract.ts';
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
} from './contracts/queue-contract.ts';
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
} from './contracts/store-contract.ts';
export { type DeliverOptions, type DeliveryResult, deliver } from './deliver/deliver.ts';
export { type MatcherResult, type RefusalCode, type WebhookMatchers, webhookMatchers } from './deliver/matchers.ts';
export type { HandlerRunRecord } from './deliver/runs.ts';
export type {
  DeliveryTarget,
  FetchObject,
  FetchTarget,
  FunctionKind,
  InjectTarget,
  NodeTarget,
} from './deliver/target.ts';
export type { BodyCause } from './diagnose/body-slips.ts';
export {
  diagnoseSignature,
  type SecretsToTry,
  type SignatureCause,
  type SignatureDiagnosis,
} from './diagnose/diagnose.ts';
export type { SecretCause } from './diagnose/secret-slips.ts';
export type { HeadersLike } from './diagnose/signature-header.ts';
export type { DeliveryRequest, SignedBody } from './fixtures/delivery-request.ts';
export {
  type DeepPartial,
  type SampleEventOptions,
  type SampleOverrides,
  sampleEvent,
} from './fixtures/sample-event.ts';
export { loadFixture, type SavedDelivery, saveFixture } from './fixtures/saved-delivery.ts';
export { secretFingerprint, signWebhookPayload } from './fixtures/sign.ts';
export {
  type SignedEventOptions,
  type SignedRequest,
  type SignedRequestOptions,
  type SigningOptions,
  signedRequest,
} from './fixtures/signed-request.ts';
export type { SandboxAttempt } from './sandbox/deliveries.ts';
export type { SandboxOptions } from './sandbox/options.ts';
export { createSandbox, type Sandbox } from './sandbox/sandbox.ts';
export {
  WebhookTestError,
  type WebhookTestErrorCode,
  WebhookTester,
  type WebhookTesterOptions,
  type WebhookTestResponse,
} from './webhook-tester.ts';
