import type { WebhookEventType } from '@pathfinder/webhooks';

export const SECRET = 'whsec_of_the_demo_0123456789abcdef';
/** The event whose handler fails on its first attempt. */
export const FLAKY_ID = 'evt_flaky';
/** In the folder of the receiver: its database, and the ids of the events that a handler ran for, a line for each run. */
export const DATABASE = 'webhooks.db';
export const RUNS = 'runs.txt';

/** An event as Pathfinder sends it. */
export interface Sample {
  readonly id: string;
  readonly type: string;
  readonly api_version: string;
  readonly created: number;
  readonly data: object;
  readonly previous_attributes?: object;
}

const user = {
  id: 'user_123',
  username: 'john_doe',
  email: 'john@example.com',
  first_name: 'John',
  last_name: 'Doe',
  roles: ['user'],
  created_at: '2024-03-01T10:00:00Z',
};
const session = { id: 'ses_456', user_id: user.id, ip_address: '203.0.113.7', created_at: '2024-03-01T10:00:00Z' };
const experience = {
  id: 'exp_789',
  user_id: user.id,
  title: 'Audit Senior',
  organization: 'Example Ltd',
  end_date: null,
};
const analysis = {
  competencies: [{ area: 'Financial Reporting', level: 'Level 2', score: 0.85 }],
  recommendations: ['Add quantifiable achievements', 'Include team size managed'],
};
const resume = { id: 'res_321', user_id: user.id, format: 'pdf', created_at: '2024-03-01T10:00:00Z' };
const request = { id: 'apr_654', action: 'user.delete', requested_by: user.id };
const alert = { id: 'alr_987', severity: 'high', message: 'Many exports in one hour', details: { exports: 120 } };

type Shape = Pick<Sample, 'data' | 'previous_attributes'>;

const SHAPES: Readonly<Record<WebhookEventType, Shape>> = {
  'user.created': { data: { user } },
  'user.updated': { data: { user }, previous_attributes: { email: 'john.doe@example.com' } },
  'user.deleted': { data: { user_id: user.id, metadata: { reason: 'asked for it' } } },
  'user.suspended': { data: { user, reason: 'unpaid' } },
  'user.activated': { data: { user } },
  'auth.login': { data: { session } },
  'auth.logout': { data: { session_id: session.id } },
  'auth.password_changed': { data: { user_id: user.id } },
  'auth.mfa_enabled': { data: { user_id: user.id, method: 'totp' } },
  'auth.failed_attempts': { data: { user_id: user.id, count: 5 } },
  'experience.created': { data: { experience } },
  'experience.updated': { data: { experience }, previous_attributes: { title: 'Audit Junior' } },
  'experience.deleted': { data: { experience_id: experience.id } },
  'experience.analyzed': { data: { experience_id: experience.id, analysis } },
  'resume.generated': { data: { resume } },
  'resume.downloaded': { data: { resume_id: resume.id, format: resume.format } },
  'admin.role_changed': { data: { user_id: user.id, old_roles: ['user'], new_roles: ['user', 'admin'] } },
  'admin.approval_required': { data: { approval_request: request } },
  'admin.audit_alert': { data: { alert } },
};

/** The event of a type, the same each time. */
export function sampleOf(type: WebhookEventType, id?: string): Sample {
  return eventOf(type, SHAPES[type], id);
}

/** An event of any type. */
export function eventOf(type: string, shape: Shape, id = `evt_${type.replace('.', '_')}`): Sample {
  return { id, type, api_version: '1.0', created: 1_709_280_000, ...shape };
}
