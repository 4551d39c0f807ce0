import { NextResponse } from 'next/server';

// Having a middleware on its path is enough for a route to get a copy of the body, cut at `middlewareClientMaxBodySize`.
export function middleware() {
  return NextResponse.next();
}

export const config = { matcher: ['/webhooks/proxied', '/api/webhooks/proxied'] };
