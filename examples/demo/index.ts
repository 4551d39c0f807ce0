import { parseArgs } from 'node:util';
import { runDemo } from './demo.ts';
import { DEMO_ENGINES, loadEngine, whyNot } from './engines/engine.ts';

const colours = process.stdout.isTTY && !process.env.NO_COLOR;
const { engine } = parseArgs({ options: { engine: { type: 'string', default: 'sqlite' } } }).values;
if (!DEMO_ENGINES.some((name) => name === engine)) {
  console.error(`There is no engine ${engine}: --engine ${DEMO_ENGINES.join('|')}.`);
  process.exit(2);
}
const problem = await whyNot(await loadEngine(engine));
if (problem) {
  console.error(problem);
  process.exit(1);
}
process.exitCode = (await runDemo({ print: console.log, colours, engine })) ? 0 : 1;
