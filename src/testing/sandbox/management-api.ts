import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type Endpoint, type Endpoints, InvalidRequest, type SandboxWebhook } from './endpoints.ts';

const MAX_BODY_BYTES = 65_536;
const ROOT = '/api/webhooks';

/** What the API needs. @internal */
export interface ManagementApiOptions {
  readonly token: string;
  readonly endpoints: Endpoints;
  /** Sends a sample to one endpoint, and returns the event's id; throws an `InvalidRequest` for a type it has not. */
  readonly sendTest: (endpoint: Endpoint, type: unknown) => { readonly id: string; readonly type: string };
}

interface Answer {
  readonly status: number;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The documented management API: `/api/webhooks`, bearer token, `{ success, data }` or `{ success, error }`. @internal */
export function createManagementApi(options: ManagementApiOptions): RequestListener {
  let requests = 0;
  return (request, response) => {
    requests++;
    const requestId = `req_${requests}`;
    answer(request, options).then(
      (given) => write(response, given, requestId),
      (error: unknown) => write(response, answerTo(error), requestId),
    );
  };
}

async function answer(request: IncomingMessage, options: ManagementApiOptions): Promise<Answer> {
  if (!isAuthorized(request, options.token)) return failure(401, 'Missing or wrong bearer token');
  const route = readRoute(request.url ?? '');
  if (!route) return failure(404, 'Not found');
  const methods = methodsOf(route, options);
  const method = methods[request.method ?? ''];
  if (!method) return failure(405, 'Method not allowed', { allow: Object.keys(methods).join(', ') });
  return method(() => readJson(request));
}

type Method = (readBody: () => Promise<Readonly<Record<string, unknown>>>) => Promise<Answer>;

function methodsOf(
  { id, test }: Route,
  { endpoints, sendTest }: ManagementApiOptions,
): Readonly<Record<string, Method>> {
  if (id === undefined) {
    return {
      GET: async () => success(200, { webhooks: endpoints.list().map(shown) }),
      POST: async (readBody) => {
        const created = endpoints.create(await readBody());
        return success(201, { webhook: { ...shown(created), signing_key: created.signing_key } });
      },
    };
  }
  const known = endpoints.get(id);
  const notFound = failure(404, 'There is no webhook of this id');
  if (test) {
    return {
      POST: async (readBody) => {
        const { event_type } = await readBody();
        if (!known) return notFound;
        const event = sendTest(known, event_type);
        return success(200, { event_id: event.id, event_type: event.type });
      },
    };
  }
  return {
    PUT: async (readBody) => {
      const updated = endpoints.update(id, await readBody());
      return updated ? success(200, { webhook: shown(updated) }) : notFound;
    },
    DELETE: async () => (endpoints.delete(id) ? success(200, { id, deleted: true }) : notFound),
  };
}

interface Route {
  readonly id: string | undefined;
  readonly test: boolean;
}

function readRoute(url: string): Route | undefined {
  const [path = ''] = url.split('?', 1);
  if (path === ROOT) return { id: undefined, test: false };
  const [, segment, test] = /^\/api\/webhooks\/([^/]+)(\/test)?$/.exec(path) ?? [];
  if (segment === undefined) return undefined;
  try {
    return { id: decodeURIComponent(segment), test: test !== undefined };
  } catch {
    return undefined;
  }
}

function isAuthorized(request: IncomingMessage, token: string): boolean {
  const given = request.headers.authorization ?? '';
  return timingSafeEqual(digest(given), digest(`Bearer ${token}`));
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // A body that is too long is read to its end all the same: leaving the loop would close the connection before the answer.
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (bytes > MAX_BODY_BYTES) throw new InvalidRequest(`the body is longer than ${MAX_BODY_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new InvalidRequest('the body is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidRequest('the body is not a JSON object');
  }
  return value as Readonly<Record<string, unknown>>;
}

function shown({ id, url, events, active, created_at }: Endpoint): SandboxWebhook {
  return { id, url, events, active, created_at };
}

function success(status: number, data: object): Answer {
  return { status, body: { success: true, data } };
}

function failure(status: number, error: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, body: { success: false, error }, headers };
}

function answerTo(error: unknown): Answer {
  return error instanceof InvalidRequest ? failure(400, error.message) : failure(500, 'The sandbox failed');
}

function write(response: ServerResponse, { status, body, headers = {} }: Answer, requestId: string): void {
  const json = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'x-request-id': requestId, ...headers });
  response.end(json);
}
