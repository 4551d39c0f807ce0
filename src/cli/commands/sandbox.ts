import { InvalidArgumentError, Option } from 'commander';
import { type Declare, examples, list, time, wholeNumber } from '../support/command.ts';

export const declareSandbox: Declare = (program, runner) => {
  const command = program
    .command('sandbox')
    .description(
      'Pathfinder in a box: its management API on this machine, which really delivers, and as badly as you like.',
    )
    .option('--port <port>', 'where to listen (default: any free one)', wholeNumber(0, 65_535))
    .option('--to <url>', 'register this receiver at once, with the secret of the settings')
    .option('--events <types>', 'with --to: for these events (default: all)', list)
    .option('--send <types>', 'with --to: send these and end; `all` stands for all nineteen', list)
    .addOption(new Option('--sign-with <which>', 'what signs (default: secret)').choices(['secret', 'signing_key']))
    .option('--duplicate-rate <share>', 'the share that comes twice, 0 to 1', share)
    .option('--reorder-rate <share>', 'the share that is overtaken, 0 to 1', share)
    .option('--tamper-rate <share>', 'the share that is altered after signing, 0 to 1', share)
    .option('--delay <time>', 'how long each delivery waits', time)
    .option('--seed <number>', 'what all chance comes from', wholeNumber(0, 2 ** 32 - 1));
  examples(command, [
    ['sandbox', 'then try `endpoints` against it'],
    ['sandbox --to localhost:3000/webhooks/pathfinder --send all --duplicate-rate 0.5', 'a rough sender'],
  ]);
  command.action(runner(command, async () => (await import('../actions/sandbox.ts')).sandbox));
};

function share(text: string): number {
  const value = Number(text);
  if (text.trim() && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('It must be a number from 0 to 1.');
}
