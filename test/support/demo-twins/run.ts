// The demo against a receiver with a fault, the module that is named: it has to notice.
import { runDemo } from '../../../examples/demo/demo.ts';

const receiver = new URL(`./${process.argv[2]}.ts`, import.meta.url);
process.exitCode = (await runDemo({ print: console.log, receiver })) ? 0 : 1;
