import { type Declare, examples, list, positiveNumber, time, wholeNumber } from '../support/command.ts';

export const declareReplay: Declare = (program, runner) => {
  const command = program
    .command('replay')
    .argument('<paths...>', 'saved deliveries, and folders of them')
    .description('Send saved deliveries again, byte for byte, the oldest first.')
    .option(
      '--to <url>',
      'the receiver (default: PATHFINDER_WEBHOOK_URL, else http://localhost:3000/webhooks/pathfinder)',
    )
    .option('--last <count>', 'only so many of the newest', wholeNumber(1))
    .option('--failed', 'only those that were not answered 2xx')
    .option('--events <types>', 'only these types', list)
    .option('--since <time>', 'only what arrived within this time, such as 1h', time)
    .option('--resign', 'sign them anew with the secret at hand')
    .option('--new-id', 'give each a new id, so that it is no duplicate; signs it anew')
    .option('--rate <per-second>', 'at most so many in a second', positiveNumber)
    .option('--timeout <time>', 'how long to wait for a reply (default: 10s)', time)
    .option('--dry-run', 'only say what would be sent');
  examples(command, [
    ['replay deliveries --last 1', 'the newest again'],
    ['replay deliveries --failed --since 1h', 'what went wrong within the last hour'],
    ['replay one.json --new-id', 'as a new event'],
  ]);
  command.action(runner(command, async () => (await import('../actions/replay.ts')).replay));
};
