/**
 * Pathfinder's management API: registers the endpoints that receive webhooks.
 *
 * @packageDocumentation
 */
export {
  type CallOptions,
  type CreateWebhook,
  PathfinderWebhooksClient,
  type SubscribedEvent,
  type SyncResult,
  type SyncWebhook,
  type UpdateWebhook,
} from './client.ts';
export {
  isPathfinderApiError,
  PATHFINDER_API_ERROR_CODES,
  PathfinderApiError,
  type PathfinderApiErrorCode,
  type PathfinderApiErrorOptions,
} from './errors.ts';
export type { ClientRetryOptions, PathfinderWebhooksClientOptions } from './options.ts';
export type { CreatedWebhookEndpoint, WebhookEndpoint } from './webhook.ts';
