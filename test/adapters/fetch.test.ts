import { getRequestListener } from '@hono/node-server';
import { toFetchHandler } from '@pathfinder/webhooks/fetch';
import { webListener } from './bridges.ts';
import { listenAt } from './listen.ts';
import { describeAdapter } from './matrix.ts';

const PATH = '/webhooks/pathfinder';
describeAdapter('fetch, @hono/node-server', (webhooks) => listenAt(PATH, getRequestListener(toFetchHandler(webhooks))));
describeAdapter("fetch, Node's Request", (webhooks) => listenAt(PATH, webListener(toFetchHandler(webhooks))));
