import { type Declare, examples, time } from '../support/command.ts';
import { withStore } from './dead-letters.ts';

export const declareDoctor: Declare = (program, runner) => {
  const command = withStore(program.command('doctor'))
    .description('Look for what is wrong with a receiver: set-up, reachability, raw body, signatures, store, endpoint.')
    .option(
      '--to <url>',
      'the receiver (default: PATHFINDER_WEBHOOK_URL, else http://localhost:3000/webhooks/pathfinder)',
    )
    .option('--offline', 'send nothing: look at the set-up alone')
    .option('--timeout <time>', 'how long to wait for a reply (default: 5s)', time);
  examples(command, [
    ['doctor', 'each check in a line, with its cure'],
    ['doctor --json', 'for scripts'],
  ]);
  command.action(runner(command, async () => (await import('../actions/doctor.ts')).doctor));
};
