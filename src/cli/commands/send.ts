import { Option } from 'commander';
import { type Declare, examples, positiveNumber, repeatable, time, wholeNumber } from '../support/command.ts';

export const declareSend: Declare = (program, runner) => {
  const command = program
    .command('send')
    .alias('trigger')
    .argument('[event]', 'one of the nineteen types, or with --data any other')
    .description('Send a signed event to a receiver, and say what it answered.')
    .option(
      '--to <url>',
      'the receiver (default: PATHFINDER_WEBHOOK_URL, else http://localhost:3000/webhooks/pathfinder)',
    )
    .option('--all', 'all nineteen types, one after the other')
    .option('--data <json>', '`data` of the event, merged over a sample; @file reads a file, - reads stdin')
    .option('--override <path=value>', 'set a field, such as user.email=ada@example.com; may be repeated', repeatable)
    .option('--file <path>', 'send a saved delivery byte for byte; - reads stdin')
    .option('--raw <path>', 'sign and send the bytes of this file, whatever they are; - reads stdin')
    .option('--resign', 'with --file: sign it anew with the secret at hand')
    .option('--id <id>', 'the id of the event (default: evt_test_ and 32 random digits)')
    .option('--repeat <count>', 'send so many events, each with its own id', wholeNumber(1, 100_000))
    .option('--concurrency <count>', 'so many at a time (default: 1)', wholeNumber(1, 1000))
    .option('--rate <per-second>', 'at most so many in a second', positiveNumber)
    .option('--duplicate', 'send each event twice')
    .addOption(new Option('--tamper <what>', 'change it after signing').choices(['body', 'signature']))
    .option('--no-signature', 'leave the signature out')
    .option('--no-validate', 'send data that does not fit the schema of its type')
    .option('--header <name:value>', 'one more header; may be repeated', repeatable)
    .option('--timeout <time>', 'how long to wait for a reply (default: 10s)', time)
    .option('--curl', 'print the request as a curl command, and send nothing');
  examples(command, [
    ['send user.created', 'one sample, to your machine'],
    ['send user.created --override user.email=ada@example.com', 'with a field of your own'],
    ['send --all', 'the smoke test of a new receiver'],
    ['send user.created --repeat 500 --concurrency 20', 'a burst'],
    ['send user.created --duplicate', 'the same event twice'],
    ['send user.created --tamper body', 'a forgery: it must be refused'],
    ['send --file delivery.json', 'what `listen --save` has written'],
  ]);
  command.action(runner(command, async () => (await import('../actions/send.ts')).send));
};
