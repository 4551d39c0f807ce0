import { toNodeListener } from '@pathfinder/webhooks/node';
import { listen } from './listen.ts';
import { describeAdapter } from './matrix.ts';

describeAdapter('node:http', (webhooks) => listen(toNodeListener(webhooks)));
