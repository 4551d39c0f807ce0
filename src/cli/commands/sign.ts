import { type Declare, examples } from '../support/command.ts';

export const declareSign: Declare = (program, runner) => {
  const command = program
    .command('sign')
    .description('Print the signature header of a body: its value, and nothing else.')
    .option('--body <path>', 'the raw body (default: stdin)');
  examples(command, [['sign --body body.json', 'the value of X-Pathfinder-Signature']]);
  command.action(runner(command, async () => (await import('../actions/sign.ts')).sign));
};
