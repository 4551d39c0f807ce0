import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { verifyWebhookSignature } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { plain, plainJson } from '../../src/cli/support/plain.ts';
import { commandLine, emptyFolder, SECRET } from '../support/command-line.ts';
import { recordingServer } from '../support/test-server.ts';

describe('the secret setting of the command line', () => {
  async function signedWith(files: Readonly<Record<string, string>>, line: string, env = {}, stdin = 'body') {
    const folder = emptyFolder();
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, 'body'), 'body');
    const { stdout } = await commandLine(line, { cwd: folder, env, stdin });
    const secrets = ['from-env', 'from-local', 'from-dotenv', 'from-file', 'from-stdin', 'from-flag'];
    return secrets.filter((secret) => verifyWebhookSignature('body', stdout.trim(), secret));
  }
  const local = {
    '.env.local': 'PATHFINDER_WEBHOOK_SECRET=from-local\n',
    '.env': 'PATHFINDER_WEBHOOK_SECRET="from-dotenv"\n',
  };
  const env = { PATHFINDER_WEBHOOK_SECRET: 'from-env' };

  it('reads the secret from stdin or the option, otherwise the environment, .env.local or .env', async () => {
    expect(await signedWith(local, 'sign --secret-stdin --body body', env, 'from-stdin\n')).toEqual(['from-stdin']);
    expect(await signedWith(local, 'sign --secret from-flag', env)).toEqual(['from-flag']);
    expect(await signedWith(local, 'sign', env)).toEqual(['from-env']);
    expect(await signedWith(local, 'sign')).toEqual(['from-local']);
    expect(await signedWith({ '.env': local['.env'] }, 'sign')).toEqual(['from-dotenv']);
    const own = { ...local, 'own.env': 'PATHFINDER_WEBHOOK_SECRET=from-file' };
    expect(await signedWith(own, 'sign --env-file own.env')).toEqual(['from-file']);
  });

  it('warns about a secret on the command line and never prints it', async () => {
    const { url } = await recordingServer(() => ({ status: 401 }));
    const lines = [
      'sign',
      'verify --body - --signature sha256=00',
      `send auth.login --to ${url}`,
      'send auth.login --to http://127.0.0.1:1',
      'sign --nonsense',
    ];
    for (const line of lines) {
      const { stdout, stderr } = await commandLine(`${line} --secret ${SECRET}`, { env: {}, stdin: 'x' });
      expect(stdout + stderr).not.toContain(SECRET);
      if (!line.includes('nonsense')) expect(stderr).toContain("! --secret shows in the shell's history");
    }
  });

  it('does not export the secret to the environment of the process', async () => {
    await signedWith(local, 'sign');
    expect(process.env.PATHFINDER_WEBHOOK_SECRET).toBeUndefined();
  });

  it('asks for a missing secret and names a missing env file', async () => {
    expect((await commandLine('sign', { env: {}, stdin: 'x' })).code).toBe(3);
    expect(await commandLine('sign --env-file none', { stdin: 'x' })).toEqual({
      code: 3,
      stdout: '',
      stderr: '✗ none cannot be read: there is no such file or folder.\n  Check the path.\n',
    });
  });
});

describe('terminal output of the command line', () => {
  const cases = {
    'a\x1b[31mb': 'a\\x1b[31mb',
    '\x9b2J': '\\x9b2J',
    'a\r\nb\t': 'a\\x0d\\x0ab\\x09',
    '\u202eabc\u2066': '\\u202eabc\\u2066',
    '\u{e0041}': '\\u{e0041}',
    '\ud800': '\\ud800',
    'Zoë ✓ 日本 🎉': 'Zoë ✓ 日本 🎉',
  };

  it.each(Object.entries(cases))('escapes control characters in text: %j', (text, shown) => {
    expect(plain(text)).toBe(shown);
  });

  it('escapes control characters in JSON so that it parses to the same value', () => {
    for (const text of Object.keys(cases)) {
      const json = plainJson({ text });
      expect(JSON.parse(json)).toEqual({ text });
      expect(json).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }
  });
});

describe('colors of the command line', () => {
  const line = 'events';
  const hasColour = async (tty: boolean, env: Record<string, string> = {}, more = '') =>
    (await commandLine(line + more, { tty, env })).stdout.includes('\x1b[');

  it('uses colors on terminals only, and never with NO_COLOR, --no-color, a dumb terminal or JSON', async () => {
    expect(await hasColour(true)).toBe(true);
    expect(await hasColour(false)).toBe(false);
    expect(await hasColour(false, { FORCE_COLOR: '1' })).toBe(true);
    expect(await hasColour(true, { NO_COLOR: '1' })).toBe(false);
    expect(await hasColour(true, { NO_COLOR: '' })).toBe(true);
    expect(await hasColour(true, { TERM: 'dumb' })).toBe(false);
    expect(await hasColour(true, {}, ' --no-color')).toBe(false);
    expect(await hasColour(true, {}, ' --json')).toBe(false);
  });
});

describe('the command line', () => {
  it('prints its help and version to stdout with exit code 0', async () => {
    const help = await commandLine('--help');
    expect([help.code, help.stderr]).toEqual([0, '']);
    expect(help.stdout).toContain('Usage: pathfinder-webhooks [options] [command]');
    expect(await commandLine('')).toEqual(help);
    expect(await commandLine('--version')).toEqual({ code: 0, stdout: '0.0.0\n', stderr: '' });
    expect((await commandLine('send --help')).stdout).toContain('Examples:');
  });

  it('suggests the nearest command or option for a typo', async () => {
    expect(await commandLine('sned')).toEqual({
      code: 2,
      stdout: '',
      stderr: "✗ unknown command 'sned'\n  Did you mean send?\n",
    });
    expect((await commandLine('events --sampel')).stderr).toContain('Did you mean --sample?');
    expect((await commandLine('events user.created extra')).code).toBe(2);
    expect((await commandLine('send user.created --tamper id')).code).toBe(2);
  });
});
