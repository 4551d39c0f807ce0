import { Command, CommanderError } from 'commander';
import { declareCheck } from './commands/check.ts';
import { declareDeadLetters } from './commands/dead-letters.ts';
import { declareDoctor } from './commands/doctor.ts';
import { declareEndpoints } from './commands/endpoints.ts';
import { declareEvents } from './commands/events.ts';
import { declareInit } from './commands/init.ts';
import { declareListen } from './commands/listen.ts';
import { declareReplay } from './commands/replay.ts';
import { declareSandbox } from './commands/sandbox.ts';
import { declareSend } from './commands/send.ts';
import { declareSign } from './commands/sign.ts';
import { declareStats } from './commands/stats.ts';
import { declareVerify } from './commands/verify.ts';
import type { Action, Declare } from './support/command.ts';
import { createPrinter, type GlobalOptions } from './support/printer.ts';
import { Settings } from './support/settings.ts';
import type { Terminal } from './support/terminal.ts';

// The order of the help.
const COMMANDS: readonly Declare[] = [
  declareInit,
  declareSend,
  declareListen,
  declareReplay,
  declareDoctor,
  declareCheck,
  declareVerify,
  declareSign,
  declareEvents,
  declareSandbox,
  declareEndpoints,
  declareDeadLetters,
  declareStats,
];

/**
 * The whole command line. Throws a `CommanderError` for what it does not know.
 *
 * @param exit - Told of the exit code of the command that ran.
 */
export function createProgram(terminal: Terminal, exit: (code: number) => void): Command {
  const program = new Command('pathfinder-webhooks');
  program
    .description('Receive, test and look after Pathfinder webhooks.')
    .option('-V, --version', 'print the version')
    .on('option:version', () => {
      terminal.stdout.write(`${versionOf()}\n`);
      throw new CommanderError(0, 'commander.version', '');
    })
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .option('--json', 'print data as JSON, and nothing else on stdout')
    .option('-q, --quiet', 'print no remarks')
    .option('--no-color', 'print no colours (NO_COLOR does the same)')
    .option('--env-file <path>', 'read settings from this file (default: .env.local, then .env)')
    .option('--secret-stdin', 'read the signing secret from stdin')
    .option('--secret <secret>', 'the signing secret; shows in the history of the shell, so better not')
    .addHelpText('after', SETTINGS);
  inherit(program, terminal);
  for (const declare of COMMANDS) {
    declare(program, (command, load) => async (...parameters) => {
      const globals = command.optsWithGlobals<GlobalOptions>();
      const printer = createPrinter(terminal, globals);
      const action: Action<never> = await load();
      const args = parameters.slice(0, -2) as string[];
      const context = { terminal, printer, globals, settings: new Settings(terminal, globals) };
      exit((await action(context, command.opts() as never, ...args)) ?? 0);
    });
  }
  for (const command of everyCommand(program)) inherit(command, terminal);
  return program;
}

const SETTINGS = `
Settings, from the environment or an env file:
  PATHFINDER_WEBHOOK_SECRET           the signing secret
  PATHFINDER_WEBHOOK_SECRET_PREVIOUS  the one before it, while rotating
  PATHFINDER_WEBHOOK_SIGNING_KEY      the key of Pathfinder's own making, which may sign as well
  PATHFINDER_WEBHOOK_URL              the receiver (default: http://localhost:3000/webhooks/pathfinder)
  PATHFINDER_WEBHOOK_STORE            the queue's database, such as ./webhooks.db
  PATHFINDER_API_TOKEN                the token of the management API
  PATHFINDER_API_URL                  where the management API is

Exit codes: 0 done; 1 it ran, and the answer is no; 2 wrong usage; 3 a secret, token, file or store is missing;
4 the other side cannot be reached; 130 interrupted.`;

/** The names of all commands, groups before what is in them. For the page that shows their help. */
export function commandNames(): readonly (readonly string[])[] {
  const silent = { write: () => undefined };
  const { signal } = new AbortController();
  const terminal = { env: {}, cwd: '.', stdin: process.stdin, stdout: silent, stderr: silent, signal };
  const [, ...commands] = everyCommand(createProgram(terminal, () => undefined));
  return commands.map((command) => pathOf(command));
}

function pathOf(command: Command): readonly string[] {
  return command.parent?.parent ? [...pathOf(command.parent), command.name()] : [command.name()];
}

/** A command and all below it. */
function everyCommand(program: Command): readonly Command[] {
  return [program, ...program.commands.flatMap(everyCommand)];
}

function inherit(command: Command, { stdout, stderr }: Terminal): void {
  command
    .exitOverride()
    .allowExcessArguments(false)
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      // The failure is written by who catches it, as JSON too.
      writeErr: () => undefined,
      outputError: () => undefined,
      getOutHelpWidth: () => Math.min(Math.max(stdout.columns ?? 100, 60), 120),
      getErrHelpWidth: () => stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

// Loading node:module takes a part of the start that only this needs.
function versionOf(): string {
  const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);
  return (require('@pathfinder/webhooks/package.json') as { version: string }).version;
}
