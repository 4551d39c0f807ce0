import { runDemo } from './demo.ts';

const colours = process.stdout.isTTY && !process.env.NO_COLOR;
process.exitCode = (await runDemo({ print: console.log, colours })) ? 0 : 1;
