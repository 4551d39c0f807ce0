/** One event of each of the nineteen types, with the fields that the documentation names. */
const user = { id: 'user_123', username: 'ada', email: 'ada@example.com' };
const experience = { id: 'exp_789', title: 'Analyst', organization: 'Example Ltd' };
const competencies = [{ area: 'Financial Reporting', level: 'Level 2', score: 0.85 }];

export const samples: readonly (readonly [type: string, data: object])[] = [
  ['user.created', { user }],
  ['user.updated', { user: { ...user, email: 'ada@new.example' } }],
  ['user.deleted', { user_id: user.id }],
  ['user.suspended', { user, reason: 'unpaid' }],
  ['user.activated', { user }],
  ['auth.login', { session: { id: 'ses_1', user_id: user.id } }],
  ['auth.logout', { session_id: 'ses_1' }],
  ['auth.password_changed', { user_id: user.id }],
  ['auth.mfa_enabled', { user_id: user.id, method: 'totp' }],
  ['auth.failed_attempts', { user_id: user.id, count: 5 }],
  ['experience.created', { experience }],
  ['experience.updated', { experience }],
  ['experience.deleted', { experience_id: experience.id }],
  [
    'experience.analyzed',
    { experience_id: experience.id, analysis: { competencies, recommendations: ['Add figures'] } },
  ],
  ['resume.generated', { resume: { id: 'res_1', format: 'pdf' } }],
  ['resume.downloaded', { resume_id: 'res_1', format: 'pdf' }],
  ['admin.role_changed', { user_id: user.id, old_roles: ['user'], new_roles: ['user', 'admin'] }],
  ['admin.approval_required', { approval_request: { id: 'apr_1', action: 'delete' } }],
  ['admin.audit_alert', { alert: { severity: 'high', message: 'many exports' } }],
];
