import { type Declare, examples, list } from '../support/command.ts';

const KEY_HELP = 'Pathfinder shows the signing key once: at the creation. So say where it shall go.';

export const declareEndpoints: Declare = (program, runner) => {
  const group = program.command('endpoints').description('The webhooks of the account: who is sent what.');
  examples(group, [
    ['endpoints list', 'all of them'],
    ['endpoints create --url https://app.example.com/webhooks/pathfinder --events user.created --write-env', ''],
    ['endpoints test webhook_abc123 --event user.created', 'have Pathfinder send one'],
    ['endpoints sync --url https://app.example.com/webhooks/pathfinder --events user.created', 'exactly these'],
  ]);

  const listing = group.command('list').alias('ls').description('List the webhooks.');
  listing.action(runner(listing, async () => (await import('../actions/endpoints.ts')).listEndpoints));

  const create = group
    .command('create')
    .description(`Register a webhook. ${KEY_HELP}`)
    .requiredOption('--url <url>', 'where Pathfinder shall send the events')
    .requiredOption('--events <types>', 'which events, separated by commas', list)
    .option('--inactive', 'send nothing yet')
    .option('--with-secret', 'send the secret of the settings along, to sign with')
    .option('--write-env [path]', 'add the signing key to this file (default: .env.local)')
    .option('--show-key', 'print the signing key');
  create.action(runner(create, async () => (await import('../actions/endpoints.ts')).createEndpoint));

  const update = group
    .command('update')
    .argument('<id>', 'the id of the webhook')
    .description('Change a webhook: what is not named stays.')
    .option('--url <url>', 'where Pathfinder shall send the events')
    .option('--events <types>', 'which events, separated by commas', list)
    .option('--active', 'send events')
    .option('--inactive', 'send none')
    .option('--with-secret', 'the secret of the settings shall sign from now on');
  update.action(runner(update, async () => (await import('../actions/endpoints.ts')).updateEndpoint));

  const remove = group
    .command('delete')
    .alias('rm')
    .argument('<id>', 'the id of the webhook')
    .description('Remove a webhook. There is no way back.')
    .option('--yes', 'yes, remove it');
  remove.action(runner(remove, async () => (await import('../actions/endpoints.ts')).deleteEndpoint));

  const test = group
    .command('test')
    .argument('<id>', 'the id of the webhook')
    .description('Have Pathfinder send a test event.')
    .requiredOption('--event <type>', 'the type of the event');
  test.action(runner(test, async () => (await import('../actions/endpoints.ts')).testEndpoint));

  const sync = group
    .command('sync')
    .description(`See to it that one webhook has this URL, for exactly these events. ${KEY_HELP}`)
    .requiredOption('--url <url>', 'where Pathfinder shall send the events')
    .requiredOption('--events <types>', 'which events, separated by commas', list)
    .option('--with-secret', 'send the secret of the settings along, where a webhook is created')
    .option('--write-env [path]', 'add the signing key of a new webhook to this file (default: .env.local)')
    .option('--show-key', 'print the signing key of a new webhook');
  sync.action(runner(sync, async () => (await import('../actions/endpoints.ts')).syncEndpoint));
};
