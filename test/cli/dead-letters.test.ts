import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WebhookHandler } from '@pathfinder/webhooks';
import { sqliteQueue } from '@pathfinder/webhooks/sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commandLine, emptyFolder } from '../support/command-line.ts';
import { bodyOf, deliveryOf, SECRET as KEY, recordingLogger } from '../support/deliver.ts';

/** A queue in a file, with events that have failed for good, and a receiver on it. */
async function failedQueue(count = 3) {
  const cwd = emptyFolder();
  const queue = sqliteQueue(join(cwd, 'webhooks.db'));
  onTestFinished(async () => queue.close?.());
  const ran: string[] = [];
  let failing = true;
  const webhooks = new WebhookHandler({ secret: KEY, queue, logger: recordingLogger(), retry: { attempts: 1 } });
  webhooks.on(
    '*',
    ({ id }) => {
      ran.push(id);
      if (failing) throw new Error('the mail server said \u001b[31mno');
    },
    { name: 'welcome' },
  );
  for (let i = 1; i <= count; i++) {
    const type = i === 1 ? 'user.deleted' : 'user.created';
    const data =
      i === 1 ? { user_id: 'user_1' } : { user: { id: 'user_1', username: 'ada', email: 'ada@example.com' } };
    await webhooks.receive(deliveryOf(bodyOf({ id: `evt_${i}`, type, data })));
  }
  await webhooks.drain({ maxMs: 5000 });
  failing = false;
  ran.length = 0;
  return {
    cwd,
    ran,
    webhooks,
    call: (line: string) => commandLine(line, { cwd, env: { PATHFINDER_WEBHOOK_STORE: 'webhooks.db' } }),
  };
}

function keysOf(stdout: string): readonly string[] {
  return (JSON.parse(stdout) as { items: { id: string; key: string }[] }).items.map(({ id }) => id);
}

describe('dead-letters', () => {
  it('lists dead letters filtered and safe for a terminal', async () => {
    const { call } = await failedQueue();
    const { code, stdout, stderr } = await call('dead-letters list');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^letter_\d+ +user\.deleted {10}evt_1 {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}1× {2}.*said \\x1b\[31mno\n/,
    );
    expect(stderr).toMatch(/^3 dead\. Replay: pathfinder-webhooks dead-letters replay letter_\d+, or --all --yes\n$/);
    expect(keysOf((await call('dlq ls --json')).stdout)).toEqual(['evt_1', 'evt_2', 'evt_3']);
    expect(keysOf((await call('dlq list --json --type user.created --limit 1')).stdout)).toEqual(['evt_2']);
    expect(keysOf((await call('dlq list --json --since 1h --reason poison')).stdout)).toEqual([]);
    expect(keysOf((await call('dlq list --json --namespace other')).stdout)).toEqual([]);
  });

  it('shows one dead letter with its exact bytes, by key or by event', async () => {
    const { call } = await failedQueue(1);
    const { items } = JSON.parse((await call('dlq list --json')).stdout) as { items: { key: string }[] };
    for (const name of [items[0]?.key, 'evt_1']) {
      const shown = JSON.parse((await call(`dlq show ${name} --json`)).stdout) as {
        id: string;
        reason: string;
        bodyBase64: string;
      };
      expect([shown.id, shown.reason, Buffer.from(shown.bodyBase64, 'base64')]).toEqual([
        'evt_1',
        'failed',
        bodyOf({ id: 'evt_1', type: 'user.deleted', data: { user_id: 'user_1' } }),
      ]);
    }
    expect((await call('dlq show evt_1')).stdout).toContain('{"id":"evt_1"');
    expect(await call('dlq show evt_9')).toMatchObject({ code: 1, stdout: '' });
  });

  it('replays the named dead letters, or with --all and --yes those that match', async () => {
    const { call, ran, webhooks } = await failedQueue(4);
    expect(await call('dlq replay evt_2')).toEqual({
      code: 0,
      stdout: '✓ queued 1 again. A worker of your app runs them.\n',
      stderr: '',
    });
    await webhooks.drain({ maxMs: 5000 });
    expect(ran).toEqual(['evt_2']);
    expect((await call('dlq replay --all')).code).toBe(2);
    const dry = await call('dlq replay --all --type user.created --dry-run');
    expect([dry.code, dry.stderr]).toEqual([0, 'Would replay 2. Nothing was changed.\n']);
    expect((await call('dlq replay evt_1 evt_9')).code).toBe(1);
    await webhooks.drain({ maxMs: 5000 });
    expect(ran).toEqual(['evt_2']);
    expect(JSON.parse((await call('dlq replay --all --yes --type user.created --json')).stdout)).toEqual({
      replayed: 2,
    });
    await webhooks.drain({ maxMs: 5000 });
    expect(ran).toEqual(['evt_2', 'evt_3', 'evt_4']);
    for (const line of ['dlq replay', 'dlq replay evt_1 --all --yes']) expect((await call(line)).code).toBe(2);
  });

  it('deletes the named dead letters after confirmation', async () => {
    const { call } = await failedQueue(2);
    expect((await call('dlq discard evt_1 evt_2')).code).toBe(2);
    expect(keysOf((await call('dlq list --json')).stdout).length).toBe(2);
    expect((await call('dlq discard evt_1 --yes')).stdout).toBe('✓ deleted 1\n');
    expect(keysOf((await call('dlq list --json')).stdout)).toEqual(['evt_2']);
  });

  it('rejects a path that is not a store and creates or changes nothing', async () => {
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'text.db'), 'no database, but long enough to be one');
    const { openSqliteFile } = await import('../../src/engines/sqlite/driver.ts');
    const foreign = openSqliteFile(join(cwd, 'foreign.db'));
    foreign.exec('CREATE TABLE mine (a INTEGER)');
    const tables = () => foreign.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    for (const store of ['none.db', 'text.db', 'foreign.db', '.']) {
      const { code, stderr } = await commandLine(`stats --store ${store}`, { cwd });
      expect([code, stderr.split('\n')[1]], store).toEqual([3, "  Pass the path that your app's sqliteQueue has."]);
    }
    expect([existsSync(join(cwd, 'none.db')), tables()]).toEqual([false, [{ name: 'mine' }]]);
    foreign.close();
    writeFileSync(join(cwd, 'broken.db'), `SQLite format 3\0${'x'.repeat(4096)}`);
    expect((await commandLine('dlq list --store broken.db', { cwd })).code).toBe(3);
    expect((await commandLine('dlq list', { cwd })).code).toBe(3);
    expect((await commandLine('dlq list --store mysql://localhost', { cwd })).code).toBe(2);
  });
});

describe('stats', () => {
  it('prints counts once, or repeatedly until it is interrupted', async () => {
    const { call, cwd } = await failedQueue(2);
    expect(JSON.parse((await call('stats --json')).stdout)).toEqual({
      ready: 0,
      active: 0,
      delayed: 0,
      dead: 2,
      unhandled: 0,
      oldestReadyMs: 0,
    });
    expect((await call('stats --store sqlite:webhooks.db')).stdout).toBe(
      'ready 0  active 0  delayed 0  dead 2  unhandled 0\n',
    );
    const interrupt = new AbortController();
    let lines = 0;
    const { code, stdout } = await commandLine('stats --store webhooks.db --watch 5ms --json', {
      cwd,
      signal: interrupt.signal,
      onOut: () => {
        if (++lines === 3) interrupt.abort();
      },
    });
    expect([code, stdout.trim().split('\n').length]).toEqual([130, 3]);
  });
});
