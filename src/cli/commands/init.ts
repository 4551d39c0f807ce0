import { Option } from 'commander';
import { type Declare, examples } from '../support/command.ts';

export const declareInit: Declare = (program, runner) => {
  const command = program
    .command('init')
    .description('Set up a receiver: a secret for this machine, and the route to paste. Changes nothing without --yes.')
    .addOption(
      new Option('--framework <name>', 'default: what package.json depends on').choices([
        'express',
        'fastify',
        'next',
        'hono',
        'node',
      ]),
    )
    .option('--path <path>', 'the path of the route (default: /webhooks/pathfinder)')
    .option('--yes', 'write the secret to .env.local, unless one is set');
  examples(command, [
    ['init', 'only say what there is to do'],
    ['init --yes', 'write the secret too'],
  ]);
  command.action(runner(command, async () => (await import('../actions/init.ts')).init));
};
