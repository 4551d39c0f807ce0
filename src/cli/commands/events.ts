import { type Declare, examples } from '../support/command.ts';

export const declareEvents: Declare = (program, runner) => {
  const command = program
    .command('events')
    .argument('[event]', 'one of the nineteen types')
    .description('List the event types, or show one: when it is sent, a sample, its schema.')
    .option('--sample', 'print only a sample')
    .option('--schema', 'print only the JSON Schema of its data');
  examples(command, [
    ['events', 'all types, a line each'],
    ['events user.created', 'what it holds'],
    ['events user.created --schema', 'JSON Schema, for other languages'],
  ]);
  command.action(runner(command, async () => (await import('../actions/events.ts')).events));
};
