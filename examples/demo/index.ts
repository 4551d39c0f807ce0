import { runDemo } from './demo.ts';
import { startReceiver } from './receiver.ts';

const receiver = await startReceiver();
try {
  const colours = process.stdout.isTTY && !process.env.NO_COLOR;
  const good = await runDemo(receiver, { print: console.log, colours });
  process.exitCode = good ? 0 : 1;
} finally {
  receiver.close();
}
