import { type Declare, examples, time } from '../support/command.ts';
import { withStore } from './dead-letters.ts';

export const declareStats: Declare = (program, runner) => {
  const command = withStore(program.command('stats'))
    .description('How much a queue holds: ready, active, delayed, dead, and how old the oldest is.')
    .option('--watch [time]', 'again and again, each time after so long (default: 2s)', time);
  examples(command, [
    ['stats --store ./webhooks.db', 'once'],
    ['stats --watch 5s --json', 'a line every five seconds'],
  ]);
  command.action(runner(command, async () => (await import('../actions/stats.ts')).stats));
};
