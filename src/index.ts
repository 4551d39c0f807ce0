/**
 * Receives Pathfinder's webhooks: verified, typed, deduplicated.
 *
 * @module @pathfinder/webhooks
 */

export { refuseHead } from './accept.ts';
export type { SecretResolver, TenantSecret } from './authenticate.ts';
export { BodyCollector } from './body-collector.ts';
export { type ConstructWebhookEventOptions, constructWebhookEvent } from './construct-event.ts';
export {
  type AcceptedHead,
  textParams,
  type WebhookAdmission,
  type WebhookBodyLimits,
  type WebhookDelivery,
  type WebhookDeliveryHead,
  type WebhookReceiver,
  type WebhookReply,
} from './delivery.ts';
export type { MemoryStoreOptions } from './engines/memory/rows.ts';
export { memoryStore } from './engines/memory/store.ts';
export {
  isWebhookError,
  LeaseLostError,
  WEBHOOK_ERROR_CODES,
  WebhookError,
  type WebhookErrorCode,
  type WebhookErrorOptions,
} from './errors.ts';
export {
  type AdminEventData,
  type AnyWebhookEvent,
  type ApprovalRequest,
  type AuditAlert,
  type AuthEventData,
  type Competency,
  type CreatedUser,
  type DottedPrefix,
  type EventDefinition,
  type EventFor,
  type EventMap,
  type EventName,
  type EventOfType,
  type EventPattern,
  type EventSchemas,
  type Experience,
  type ExperienceAnalysis,
  type ExperienceEventData,
  type InferSchemaOutput,
  isWebhookEvent,
  isWebhookEventType,
  type NoEventSchemas,
  type PreviousAttributesOf,
  type ReceivedWebhookEvent,
  type Resume,
  type ResumeEventData,
  type Session,
  type StandardSchemaIssue,
  type StandardSchemaProps,
  type StandardSchemaResult,
  type StandardSchemaV1,
  type UnknownWebhookEvent,
  type User,
  type UserEventData,
  WEBHOOK_EVENT_TYPES,
  type WebhookEvent,
  type WebhookEventData,
  type WebhookEventEnvelope,
  type WebhookEventPreviousAttributes,
  type WebhookEventSchemas,
  type WebhookEventType,
  webhookEventDefinitions,
  webhookEventSchemas,
} from './events/index.ts';
export { WebhookHandler } from './handler.ts';
export type { WebhookHandlerOptions } from './options.ts';
export type { HandlerFailure, WebhookResult, WebhookResultStatus } from './outcome.ts';
export type {
  DeadLetter,
  DeadLetterAddress,
  DeadLetterQuery,
  DeadLetters,
  Enqueued,
  QueueClaim,
  QueuedDelivery,
  QueueSlot,
  QueueStats,
  QueueWork,
  ReplayOptions,
  WebhookQueue,
  WorkOutcome,
} from './queue.ts';
export {
  CRITICAL_EVENT_TYPES,
  type HandleFailureOptions,
  WebhookErrorHandler,
  type WebhookErrorHandlerOptions,
} from './report/error-handler.ts';
export { consoleLogger, type WebhookLogger } from './report/logger.ts';
export {
  type WebhookCounts,
  WebhookMetrics,
  type WebhookMetricsOptions,
  type WebhookStats,
  type WebhookTypeCount,
} from './report/metrics.ts';
export type {
  HandlerTrace,
  ObservedReceiver,
  ProcessTrace,
  ReceiveTrace,
  WebhookTelemetry,
} from './report/telemetry.ts';
export { NonRetryableError, RetryAfterError, type RetryAfterErrorOptions } from './retry/errors.ts';
export type { RetryJitter, RetryPolicy, RetryPolicyOptions } from './retry/policy.ts';
export {
  type RetryOptions,
  type RetryWaitOptions,
  retry,
  WebhookRetry,
  type WebhookRetryOptions,
  type WebhookRetryResult,
} from './retry/retry.ts';
export type { Handler, HandlerContext, HandlerOptions } from './run/handler-types.ts';
export type { WebhookPayload, WebhookSecret, WebhookSignature } from './signature.ts';
export {
  type AcquiredClaim,
  type Claim,
  type ClaimOptions,
  type DeadReason,
  eventKey,
  type FailOptions,
  type StoredEvent,
  type WebhookStore,
} from './store.ts';
export type { AgeLimits } from './validate.ts';
export { verifyWebhookSignature } from './verify.ts';
