import type { RequestListener } from 'node:http';
import { toNodeListener } from '@pathfinder/webhooks/node';
import type { ParserTrait } from './harness.ts';
import { listenAt } from './listen.ts';
import { describeAdapter } from './matrix.ts';

const always = () => true;
const parsers: readonly ParserTrait[] = [
  { name: 'a parser that kept an object', takes: always, keepsBytes: false },
  { name: 'a parser that kept a Uint8Array in rawBody', takes: always, keepsBytes: true },
  { name: 'a parser that kept text in rawBody', takes: always, keepsBytes: true },
  { name: 'a parser that set an encoding', takes: always, keepsBytes: false },
];

describeAdapter(
  'node:http',
  (webhooks, { parser }) => listenAt('/webhooks/pathfinder', parse(parser, toNodeListener(webhooks))),
  { parsers },
);

function parse(name: string | undefined, next: RequestListener): RequestListener {
  if (name === undefined) return next;
  return async (request, response) => {
    if (name.includes('encoding')) return next(request.setEncoding('utf8'), response);
    const bytes = Buffer.concat(await request.toArray());
    const rawBody = name.includes('Uint8Array') ? new Uint8Array(bytes) : bytes.toString();
    return next(Object.assign(request, name.includes('rawBody') ? { rawBody } : { body: {} }), response);
  };
}
