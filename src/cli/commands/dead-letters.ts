import { type Command, Option } from 'commander';
import { type Declare, examples, positiveNumber, time, wholeNumber } from '../support/command.ts';

export const declareDeadLetters: Declare = (program, runner) => {
  const group = program
    .command('dead-letters')
    .alias('dlq')
    .description('The events that failed for good: look at them, run them again, drop them.');
  examples(group, [
    ['dead-letters list --store ./webhooks.db', 'the oldest first'],
    ['dead-letters show letter_12', 'one, with its bytes'],
    ['dead-letters replay letter_12', 'run it again'],
    ['dead-letters replay --all --type user.created --dry-run', 'which ones would it be'],
  ]);

  const listing = withFilter(withStore(group.command('list').alias('ls'))).description(
    'List them, the oldest failure first.',
  );
  listing.action(runner(listing, async () => (await import('../actions/dead-letters.ts')).listDeadLetters));

  const show = withStore(group.command('show'))
    .argument('<key>', 'what the list calls it, or the id of the event')
    .option('--tenant <tenant>', "with an event's id: whose event it is")
    .description('Show one with its body, or with --json its bytes in base64.');
  show.action(runner(show, async () => (await import('../actions/dead-letters.ts')).showDeadLetter));

  const replay = withFilter(withStore(group.command('replay')))
    .argument('[keys...]', 'what the list calls them, or ids of events')
    .description('Queue them again, byte for byte: handlers that succeeded do not run again.')
    .option('--all', 'all that the filter matches')
    .option('--clear-steps', 'run handlers again that have succeeded, too')
    .option('--rate <per-second>', 'at most so many in a second', positiveNumber)
    .option('--dry-run', 'only say which ones')
    .option('--yes', 'with --all: yes, all of them');
  replay.action(runner(replay, async () => (await import('../actions/dead-letters.ts')).replayDeadLetters));

  const discard = withStore(group.command('discard'))
    .argument('<keys...>', 'what the list calls them, or ids of events')
    .option('--tenant <tenant>', "with an event's id: whose event it is")
    .description('Delete them. There is no way back.')
    .option('--yes', 'yes, delete them');
  discard.action(runner(discard, async () => (await import('../actions/dead-letters.ts')).discardDeadLetters));
};

/** The options that name a store. */
export function withStore(command: Command): Command {
  return command
    .option('--store <path>', "the queue's SQLite file (default: PATHFINDER_WEBHOOK_STORE)")
    .option('--namespace <name>', 'its namespace (default: default)');
}

function withFilter(command: Command): Command {
  return command
    .addOption(
      new Option('--reason <reason>', 'why they are dead (default: failed and poison)').choices([
        'failed',
        'unhandled',
        'poison',
      ]),
    )
    .option('--type <type>', 'a type, or a pattern such as user.*')
    .option('--tenant <tenant>', 'of this tenant')
    .option('--since <time>', 'failed within this time, such as 1h', time)
    .option('--limit <count>', 'at most so many (default: 100)', wholeNumber(1, 100_000));
}
