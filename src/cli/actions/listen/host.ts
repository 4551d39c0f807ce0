const LOCAL = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Whether a request is for this machine by its `Host`: the local names with the port that is listened on, or a host that was
 * allowed. Without this a page in a browser could reach it under a name of its own (DNS rebinding).
 *
 * @param rawHeaders - Names and values in turn, as they came: two `Host` headers are none.
 */
export function isAllowedHost(rawHeaders: readonly string[], port: number, allowed: readonly string[]): boolean {
  const hosts = rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === 'host');
  const host = hosts[0]?.toLowerCase();
  if (hosts.length !== 1 || !host) return false;
  if (LOCAL.some((name) => host === `${name}:${port}` || (port === 80 && host === name))) return true;
  return allowed.some((name) => host === name.toLowerCase() || host.replace(/:\d+$/, '') === name.toLowerCase());
}
