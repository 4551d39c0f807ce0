import type { WebhookEventData, WebhookEventPreviousAttributes, WebhookEventType } from '../events/index.ts';

const USER = {
  id: 'user_test_1815',
  username: 'ada_lovelace',
  email: 'ada@example.com',
  first_name: 'Ada',
  last_name: 'Lovelace',
  roles: ['user'],
  created_at: '2024-03-01T10:00:00Z',
};

const EXPERIENCE = {
  id: 'exp_test_1842',
  user_id: USER.id,
  title: 'Senior Financial Analyst',
  organization: 'Analytical Engines Ltd',
  description: 'Led the monthly close for three entities and cut its duration from nine days to four.',
  start_date: '2021-09-01T00:00:00Z',
  end_date: null,
  created_at: '2024-03-01T10:05:00Z',
};

/** A realistic `data` for each event type. Shared: copy before you hand it out. @internal */
export const SAMPLE_DATA: WebhookEventData = {
  'user.created': { user: USER },
  'user.updated': { user: { ...USER, email: 'ada.king@example.com', updated_at: '2024-03-02T08:30:00Z' } },
  'user.deleted': { user_id: USER.id, metadata: { requested_by: USER.id, reason: 'account_closed' } },
  'user.suspended': { user: { ...USER, updated_at: '2024-03-02T08:30:00Z' }, reason: 'payment_overdue' },
  'user.activated': { user: { ...USER, updated_at: '2024-03-03T09:00:00Z' } },
  'auth.login': {
    session: {
      id: 'sess_test_77',
      user_id: USER.id,
      ip_address: '203.0.113.7',
      user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
      created_at: '2024-03-01T10:00:00Z',
    },
  },
  'auth.logout': { session_id: 'sess_test_77' },
  'auth.password_changed': { user_id: USER.id },
  'auth.mfa_enabled': { user_id: USER.id, method: 'totp' },
  'auth.failed_attempts': { user_id: USER.id, count: 5 },
  'experience.created': { experience: EXPERIENCE },
  'experience.updated': {
    experience: { ...EXPERIENCE, title: 'Finance Manager', updated_at: '2024-03-04T14:20:00Z' },
  },
  'experience.deleted': { experience_id: EXPERIENCE.id },
  'experience.analyzed': {
    experience_id: EXPERIENCE.id,
    analysis: {
      competencies: [
        { area: 'Financial Reporting', level: 'Level 2', score: 0.85 },
        { area: 'Management Accounting', level: 'Level 1', score: 0.62 },
      ],
      recommendations: ['Add quantifiable achievements', 'Include team size managed'],
    },
  },
  'resume.generated': {
    resume: {
      id: 'resume_test_12',
      user_id: USER.id,
      format: 'pdf',
      title: 'Ada Lovelace – Finance Manager',
      url: 'https://pathfinder.example/resumes/resume_test_12.pdf',
      created_at: '2024-03-05T11:45:00Z',
    },
  },
  'resume.downloaded': { resume_id: 'resume_test_12', format: 'pdf' },
  'admin.role_changed': { user_id: USER.id, old_roles: ['user'], new_roles: ['user', 'reviewer'] },
  'admin.approval_required': {
    approval_request: {
      id: 'approval_test_3',
      action: 'role_change',
      requested_by: USER.id,
      created_at: '2024-03-06T16:00:00Z',
    },
  },
  'admin.audit_alert': {
    alert: {
      id: 'alert_test_9',
      severity: 'high',
      message: 'Sign-in from a new country after 5 failed attempts',
      details: { user_id: USER.id, ip_address: '203.0.113.7', country: 'NZ' },
    },
  },
};

/** What `previous_attributes` holds in the samples that have it. @internal */
export const SAMPLE_PREVIOUS_ATTRIBUTES: WebhookEventPreviousAttributes &
  Readonly<Partial<Record<WebhookEventType, object>>> = {
  'user.updated': { email: USER.email },
  'experience.updated': { title: EXPERIENCE.title },
};
