import { type Declare, examples, list, time } from '../support/command.ts';

export const declareCheck: Declare = (program, runner) => {
  const command = program
    .command('check')
    .argument('<url>', 'the receiver, in whatever language')
    .description(
      'A conformance run against any receiver: what passed, what failed, why it matters, and the cure. Exit 1 on a failure.',
    )
    .option(
      '--effects <file-or-url>',
      'where the receiver leaves a line with the id of an event for each time it acted on it',
    )
    .option('--log <file>', 'its log, to look for the secret in')
    .option('--restart <command>', 'restarts the receiver: run between two deliveries, in a shell')
    .option('--only <cases>', 'only these cases, and what they rest on', list)
    .option('--settle <time>', 'how long effects may take to show (default: 500ms)', time)
    .option('--timeout <time>', 'how long to wait for a reply (default: 10s)', time)
    .option('--junit <file>', 'write the results as JUnit XML, too')
    .option('--list', 'only list the cases');
  examples(command, [
    ['check http://localhost:3000/webhooks/pathfinder', 'what can be seen from outside'],
    ['check http://localhost:3000/hook --effects effects.log --log app.log', 'and what it does'],
    ['check http://localhost:3000/hook --effects effects.log --restart "docker restart app"', 'and what it forgets'],
  ]);
  command.action(runner(command, async () => (await import('../actions/check.ts')).check));
};
