import { NextResponse } from 'next/server';

// Whatever it does, Next keeps the body for the route, up to `middlewareClientMaxBodySize`.
export function middleware() {
  return NextResponse.next();
}

export const config = { matcher: ['/webhooks/proxied', '/api/webhooks/proxied'] };
