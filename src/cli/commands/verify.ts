import { type Declare, examples } from '../support/command.ts';

export const declareVerify: Declare = (program, runner) => {
  const command = program
    .command('verify')
    .description('Check a signature offline, and say why it fails.')
    .option('--body <path>', 'the raw body; - reads stdin')
    .option('--signature <header>', 'the value of X-Pathfinder-Signature')
    .option('--file <path>', 'a saved delivery, in the place of --body and --signature; - reads stdin');
  examples(command, [
    ['verify --body body.json --signature sha256=…', 'exit 0 if it is right, 1 if not'],
    ['verify --file delivery.json', 'what `listen --save` has written'],
  ]);
  command.action(runner(command, async () => (await import('../actions/verify.ts')).verify));
};
