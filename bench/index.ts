import { benchCli } from './cli.ts';
import { printGates } from './harness.ts';
import { benchHostile } from './hostile.ts';
import { benchHttp } from './http.ts';
import { benchMemory } from './memory.ts';
import { benchPipeline } from './pipeline.ts';
import { benchStores } from './stores.ts';
import { benchTelemetry } from './telemetry.ts';
import { benchTiming } from './timing.ts';
import { benchVerify } from './verify.ts';

// All parts, or those that are named: `npm run bench -- verify pipeline`.
const parts = {
  verify: benchVerify,
  pipeline: benchPipeline,
  http: benchHttp,
  hostile: benchHostile,
  timing: benchTiming,
  telemetry: benchTelemetry,
  memory: benchMemory,
  stores: benchStores,
  cli: benchCli,
};
const named = process.argv.slice(2);
const unknown = named.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`There is no part ${unknown.join(', ')}: ${Object.keys(parts).join(', ')}.`);
  process.exit(2);
}
const gates = [];
for (const [name, bench] of Object.entries(parts)) {
  if (named.length === 0 || named.includes(name)) gates.push(...(await bench()));
}
console.log(`\n${JSON.stringify({ node: process.version, gates })}`);
process.exitCode = printGates(gates) ? 0 : 1;
