import { WebhookHandler } from '@pathfinder/webhooks';
import { toNextApiHandler, toNextRoute } from '@pathfinder/webhooks/next';
import type { NextApiHandler, NextApiRequest, NextApiResponse } from 'next';
import { after, type NextRequest } from 'next/server.js';
import type { NextApiHandler as NextApiHandler15 } from 'next-15';
import type { NextRequest as NextRequest15 } from 'next-15/server.js';

const webhooks = new WebhookHandler({ secret: 'whsec_0123456789abcdef', waitUntil: after });

// These types are what the checks of a Next build expect of the two exports.
export const POST: (request: NextRequest, context: { params: Promise<{ tenant: string }> }) => Promise<Response> =
  toNextRoute(webhooks);
export const POST15: (request: NextRequest15, context: { params: Promise<object> }) => Promise<Response> =
  toNextRoute(webhooks);
export const handler: NextApiHandler = toNextApiHandler(webhooks);
export const handler15: NextApiHandler15 = toNextApiHandler(webhooks);
export const called = (request: NextApiRequest, response: NextApiResponse) =>
  toNextApiHandler(webhooks)(request, response);
