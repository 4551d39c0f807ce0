/**
 * OpenTelemetry traces and metrics of a `WebhookHandler`.
 *
 * @module @pathfinder/webhooks/otel
 */

export { type OtelOptions, otel } from './otel.ts';
