import * as z from 'zod';
import { anyObject, type EventDefinition, identifier } from './definition.ts';

/** Something that waits for an administrator's consent. Inferred: the documentation names it and shows no field. */
export interface ApprovalRequest {
  readonly id: string;
  readonly action?: string | undefined;
  readonly requested_by?: string | undefined;
  /** ISO 8601. */
  readonly created_at?: string | undefined;
}

/** A security alert. Inferred: the documentation speaks of "alert details" and shows none. */
export interface AuditAlert {
  readonly id?: string | undefined;
  readonly severity?: string | undefined;
  readonly message?: string | undefined;
  readonly details?: Record<string, unknown> | undefined;
}

/** `data` of the administrative events, by type. */
export interface AdminEventData {
  readonly 'admin.role_changed': {
    readonly user_id: string;
    readonly old_roles: readonly string[];
    readonly new_roles: readonly string[];
  };
  readonly 'admin.approval_required': { readonly approval_request: ApprovalRequest };
  readonly 'admin.audit_alert': { readonly alert: AuditAlert };
}

/** The administrative events. */
export const adminEvents = {
  /** Inferred: the documentation names the id and the old and new roles and shows none of them. */
  'admin.role_changed': {
    description: 'The roles of a user have changed.',
    payload: 'User ID, old/new roles',
    documented: [],
    schema: () =>
      z.looseObject({ user_id: identifier(), old_roles: z.array(z.string()), new_roles: z.array(z.string()) }),
  },
  /** Inferred: every field of the request. */
  'admin.approval_required': {
    description: 'An action waits for approval.',
    payload: 'Approval request',
    documented: [],
    schema: () => z.looseObject({ approval_request: approvalRequestSchema() }),
  },
  /** Inferred: every field of the alert. */
  'admin.audit_alert': {
    description: 'Something has happened that matters for security.',
    payload: 'Alert details',
    documented: [],
    schema: () => z.looseObject({ alert: auditAlertSchema() }),
  },
} satisfies { readonly [T in keyof AdminEventData]: EventDefinition<AdminEventData[T]> };

function approvalRequestSchema() {
  return z.looseObject({
    id: z.string(),
    action: z.string().optional(),
    requested_by: z.string().optional(),
    created_at: z.string().optional(),
  });
}

function auditAlertSchema() {
  return z.looseObject({
    id: z.string().optional(),
    severity: z.string().optional(),
    message: z.string().optional(),
    details: anyObject().optional(),
  });
}
