import type { HandlerRun } from './handler-run.ts';

/** The store's name for an entity: each handler of each tenant has its own. */
export function entityKey({ execution, registration }: HandlerRun, entity: string): string {
  return `${execution.job.tenant ?? ''}\n${registration.id}\n${entity}`;
}

/** The store's name for a lane: each handler of each tenant has its own. */
export function laneKey({ execution, registration }: HandlerRun, lane: string): string {
  return `lane\n${execution.job.tenant ?? ''}\n${registration.id}\n${lane}`;
}

/** The key for APIs that run a request once: the same on every attempt, and no two handlers, events or tenants share one. */
export function idempotencyKey({ execution, registration }: HandlerRun): string {
  const { tenant, event } = execution.job;
  const parts = tenant === undefined ? [event.id, registration.id] : [tenant, event.id, registration.id];
  return parts.map(withoutColons).join(':');
}

// Colons within a tenant, an id or a pattern are escaped as in a URL, so that those between the parts are the only ones.
function withoutColons(part: string): string {
  return part.replace(/[%:]/g, encodeURIComponent);
}
