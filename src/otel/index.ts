/**
 * OpenTelemetry traces and metrics of a `WebhookHandler`.
 *
 * @packageDocumentation
 */

export { type OtelOptions, otel } from './otel.ts';
