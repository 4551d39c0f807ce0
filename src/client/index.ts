/**
 * Pathfinder's management API: registers the endpoints that receive webhooks.
 *
 * @module @pathfinder/webhooks/client
 */
export { PathfinderWebhooksClient } from './client.ts';
export {
  isPathfinderApiError,
  PATHFINDER_API_ERROR_CODES,
  PathfinderApiError,
  type PathfinderApiErrorCode,
  type PathfinderApiErrorOptions,
} from './errors.ts';
export type { ClientRetryOptions, PathfinderWebhooksClientOptions } from './options.ts';
export type { SyncResult, SyncWebhook } from './sync.ts';
export type {
  CallOptions,
  CreatedWebhookEndpoint,
  CreateWebhook,
  SubscribedEvent,
  UpdateWebhook,
  WebhookEndpoint,
} from './webhook.ts';
