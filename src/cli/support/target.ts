import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { BlockList, isIP } from 'node:net';
import { CliError, usage } from './failure.ts';
import type { Settings } from './settings.ts';

const DEFAULT_TARGET = 'http://localhost:3000/webhooks/pathfinder';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');
loopback.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');

/** The receiver: `--to`, else `PATHFINDER_WEBHOOK_URL`, else the address of the documentation on this machine. */
export function targetOf(to: string | undefined, settings: Settings): URL {
  return readTarget(to ?? settings.find('PATHFINDER_WEBHOOK_URL')?.value ?? DEFAULT_TARGET, '--to');
}

/** Reads the URL of a receiver; without a scheme it is http. @throws CliError for what is no http(s) URL, and for one with a password. */
export function readTarget(text: string, option: string): URL {
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw usage(`${option} is no http or https URL.`, `Pass a whole one, such as ${DEFAULT_TARGET}.`);
  }
  if (url.username || url.password) {
    throw usage(`${option} holds a user name or a password.`, 'Pass the URL without them.');
  }
  url.hash = '';
  return url;
}

/** Whether an IP address is this machine. */
function isLoopback(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** Whether a host name of a URL is this machine as it stands: an address of it, or `localhost`. */
export function isLocalName(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  return isIP(host) ? isLoopback(host) : host === 'localhost';
}

/** @throws CliError for a target that is not this machine. The name is looked up again at each connection: {@link lookupLoopback}. */
export function checkLocal(url: URL, option: string): void {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) ? isLoopback(host) : true) return;
  throw notLocal(`${option} is not this machine.`);
}

/** Finds the addresses of a name like `dns.lookup`, and fails when one of them is not this machine. */
export const lookupLoopback: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '');
    if (!addresses.every(({ address }) => isLoopback(address))) {
      return callback(notLocal(`${hostname} is not this machine.`), '');
    }
    if (options.all) return callback(null, addresses);
    const [first] = addresses;
    return callback(null, first?.address ?? '', first?.family);
  });
};

function notLocal(message: string): CliError {
  return new CliError('usage', 'target_not_local', message, 'Pass --allow-remote if events shall leave this machine.');
}
