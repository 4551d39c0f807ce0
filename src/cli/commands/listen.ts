import { type Declare, examples, list, repeatable, time, wholeNumber } from '../support/command.ts';

export const declareListen: Declare = (program, runner) => {
  const command = program
    .command('listen')
    .alias('dev')
    .description(
      'Receive deliveries on this machine: verify, show, and forward them byte for byte. NDJSON with --json.',
    )
    .option('--port <port>', 'where to listen (default: 4480; 0: any free one)', wholeNumber(0, 65_535))
    .option('--host <address>', 'the address to listen on (default: 127.0.0.1)')
    .option(
      '--allow-host <host>',
      'take requests for this Host too, such as that of a tunnel; may be repeated',
      repeatable,
    )
    .option('--forward-to <url>', 'send on what is verified, and answer what comes back')
    .option('--allow-remote', 'let --forward-to be another machine')
    .option('--events <types>', 'show and forward only these types or patterns; the rest is answered 200', list)
    .option('--no-verify', 'show and forward what is not verified too')
    .option('--save <folder>', 'save each delivery that is shown, for send --file and replay')
    .option('--keep <count>', 'so many saved deliveries at most; the oldest go (default: 200)', wholeNumber(1, 100_000))
    .option('--concurrency <count>', 'forward so many at a time (default: 1, in order)', wholeNumber(1, 1000))
    .option('--timeout <time>', 'how long to wait for what is forwarded (default: 30s)', time)
    .option('--count <count>', 'end after so many deliveries', wholeNumber(1));
  examples(command, [
    ['listen', 'see what arrives'],
    ['listen --forward-to localhost:3000/webhooks/pathfinder', 'between a tunnel and your app'],
    ['listen --save deliveries', 'for `replay`, and for tests'],
    ['listen --json | jq .type', 'a line each'],
  ]);
  command.action(runner(command, async () => (await import('../actions/listen.ts')).listen));
};
