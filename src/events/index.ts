export type { AdminEventData, ApprovalRequest, AuditAlert } from './admin.ts';
export type { AuthEventData, Session } from './auth.ts';
export type { EventDefinition } from './definition.ts';
export type { UnknownWebhookEvent, WebhookEventEnvelope } from './envelope.ts';
export type { Competency, Experience, ExperienceAnalysis, ExperienceEventData } from './experience.ts';
export type {
  DottedPrefix,
  EventFor,
  EventMap,
  EventName,
  EventPattern,
  EventSchemas,
  NoEventSchemas,
} from './patterns.ts';
export { expandPatterns, matchesPattern } from './patterns.ts';
export type {
  AnyWebhookEvent,
  EventOfType,
  PreviousAttributesOf,
  ReceivedWebhookEvent,
  WebhookEvent,
  WebhookEventData,
  WebhookEventPreviousAttributes,
  WebhookEventSchemas,
  WebhookEventType,
} from './registry.ts';
export {
  isWebhookEvent,
  isWebhookEventType,
  WEBHOOK_EVENT_TYPES,
  webhookEventDefinitions,
  webhookEventSchemas,
} from './registry.ts';
export type { Resume, ResumeEventData } from './resume.ts';
export type {
  InferSchemaOutput,
  StandardSchemaIssue,
  StandardSchemaProps,
  StandardSchemaResult,
  StandardSchemaV1,
} from './standard-schema.ts';
export type { CreatedUser, User, UserEventData } from './user.ts';
