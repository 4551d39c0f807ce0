import { createServer } from 'node:http';
import { verifyWebhookSignature, WebhookHandler } from '@pathfinder/webhooks';
import { PathfinderWebhooksClient } from '@pathfinder/webhooks/client';
import { toFetchHandler } from '@pathfinder/webhooks/fetch';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { sqliteQueue, sqliteStore } from '@pathfinder/webhooks/sqlite';
import { signedRequest } from '@pathfinder/webhooks/testing';
import { verifyWebhookSignature as verify } from '@pathfinder/webhooks/verify';

const webhooks = new WebhookHandler({ secret: 'whsec_0123456789abcdef', store: sqliteStore('./webhooks.db') });
export const queued = new WebhookHandler({ secret: 'whsec_0123456789abcdef', queue: sqliteQueue('./webhooks.db') });
createServer(toNodeListener(webhooks));
export const fetchHandler: (request: Request) => Promise<Response> = toFetchHandler(webhooks);
const { body, headers, event } = signedRequest('user.created', { secret: 'whsec_0123456789abcdef' });
export const verified: boolean =
  verifyWebhookSignature(body, headers['x-pathfinder-signature'], 'secret') && verify(body, null, 'secret');
export const email: string = event.data.user.email;
export const client = new PathfinderWebhooksClient({ token: 'token', baseUrl: 'https://api.pathfinder.example' });
