// This process runs one server. It tells its port, and the CPU time it has used whenever it is asked.
import type { AddressInfo } from 'node:net';
import { SERVERS } from './servers.ts';

const [framework = '', way = ''] = process.argv.slice(2);
const start = SERVERS[framework]?.[way];
if (!start) throw new Error(`There is no ${way} on ${framework}.`);
const server = await start();
// Each waits while the others are measured.
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.(user + system);
});
process.on('disconnect', () => process.exit());
