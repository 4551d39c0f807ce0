import { NextResponse } from 'next/server';

// Having a proxy on its path is enough for a route to get a copy of the body, cut at `proxyClientMaxBodySize`.
export function proxy() {
  return NextResponse.next();
}

export const config = { matcher: ['/webhooks/proxied', '/api/webhooks/proxied'] };
