import { WebhookHandler } from '@pathfinder/webhooks';
import { signedRequest } from '@pathfinder/webhooks/testing';
import { expect, it, onTestFinished, vi } from 'vitest';
import { SECRET } from '../support/deliver.ts';

const CURE =
  'The jsdom environment of jest takes it away: run this test with `@jest-environment node`, ' +
  'see https://github.com/pathfinder/webhooks-node/blob/main/docs/testing.md#jsdom';

function without(...names: string[]): void {
  for (const name of names) vi.stubGlobal(name, undefined);
  onTestFinished(() => void vi.unstubAllGlobals());
}

it('a handler names the globals that its environment lacks', () => {
  without('TextEncoder', 'TextDecoder', 'structuredClone');
  expect(() => new WebhookHandler({ secret: SECRET })).toThrow(
    new TypeError(`WebhookHandler finds no TextEncoder and no TextDecoder here. ${CURE}`),
  );
});

it('a signed request names exactly the globals that are missing', () => {
  without('structuredClone');
  expect(() => signedRequest('user.created', { secret: SECRET })).toThrow(
    new TypeError(`signedRequest finds no structuredClone here. ${CURE}`),
  );
  expect(() => new WebhookHandler({ secret: SECRET })).not.toThrow();
});
