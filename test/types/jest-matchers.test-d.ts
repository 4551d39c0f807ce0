import { type WebhookMatchers, webhookMatchers } from '@pathfinder/webhooks/testing';
import { expect } from 'expect';

// As docs/testing.md has it for jest.
declare module 'expect' {
  interface Matchers<R extends void | Promise<void>, T = unknown> extends WebhookMatchers<R> {}
}

expect.extend(webhookMatchers);
expect({}).toBeAccepted();
expect({}).toBeRefused('signature_mismatch');
expect({}).not.toHaveRun('welcome', 1);
// @ts-expect-error: there is no such code.
expect({}).toBeRefused('signature_mismach');
