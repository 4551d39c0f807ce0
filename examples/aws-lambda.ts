import { WebhookHandler } from '@pathfinder/webhooks';
import type { APIGatewayProxyEvent, APIGatewayProxyEventV2, APIGatewayProxyResult } from 'aws-lambda';

const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '' });

webhooks.on('user.created', ({ data }) => {
  console.log(`welcome, ${data.user.username}`);
});

/** Behind API Gateway: REST and HTTP APIs, payload format 1.0 or 2.0, and function URLs. */
export async function handler(event: APIGatewayProxyEvent | APIGatewayProxyEventV2): Promise<APIGatewayProxyResult> {
  const { status, headers, body } = await webhooks.receive({
    method: 'httpMethod' in event ? event.httpMethod : event.requestContext.http.method,
    header: (name) => headerOf(event, name.toLowerCase()),
    // The signed bytes, which Gateway hands on as text or as Base64.
    body: Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8'),
  });
  return { statusCode: status, headers: { ...headers }, body };
}

// All values of a name: format 1.0 keeps them apart and in the sender's case, 2.0 joins them in lower case.
function headerOf(event: APIGatewayProxyEvent | APIGatewayProxyEventV2, name: string): string | undefined {
  const headers = ('multiValueHeaders' in event && event.multiValueHeaders) || event.headers;
  const values = Object.entries(headers).flatMap(([key, value]) => (key.toLowerCase() === name ? (value ?? []) : []));
  return values.length > 0 ? values.join(', ') : undefined;
}
