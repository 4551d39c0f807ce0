import { CommanderError } from 'commander';
import { createProgram } from './program.ts';
import { CliError, EXIT } from './support/failure.ts';
import { createPrinter, type GlobalOptions } from './support/printer.ts';
import type { Terminal } from './support/terminal.ts';

/**
 * Runs a command line, and returns its exit code. Never rejects, and touches nothing of the process but what `terminal` is.
 *
 * @param args - What follows the name of the command.
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const outcome: { exitCode: number } = { exitCode: EXIT.ok };
  const program = createProgram(terminal, (code) => {
    outcome.exitCode = code;
  });
  if (args.length === 0) {
    program.outputHelp();
    return EXIT.ok;
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
    return outcome.exitCode;
  } catch (error) {
    if (terminal.signal.aborted) return EXIT.interrupted;
    // Commander has written its help or its version by now.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const failure = failureOf(error);
    createPrinter(terminal, globalsOf(args)).failure(failure);
    return failure.exitCode;
  }
}

function failureOf(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof CommanderError) return usageOf(error);
  // A TypeError is what the package itself says of an option that makes no sense.
  if (error instanceof TypeError) return new CliError('usage', 'usage', error.message, 'See --help.');
  const message = error instanceof Error ? error.message : 'An unknown failure.';
  return new CliError('no', 'failed', message, 'If this is a fault of the command, please report it.');
}

function usageOf({ message, code }: CommanderError): CliError {
  // A group such as `endpoints`, called alone.
  if (code === 'commander.help') return new CliError('usage', 'missing_command', 'It needs a command.', 'See --help.');
  const [what = '', suggestion] = message.replace(/^error: /, '').split('\n');
  const nearest = /Did you mean (.*)\?/.exec(suggestion ?? '')?.[1];
  const fix = nearest ? `Did you mean ${nearest}?` : 'See --help for what it takes.';
  return new CliError(
    'usage',
    code.replace('commander.', '').replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
    what,
    fix,
  );
}

// The failure may be that the options could not be parsed, so they are looked for by hand.
function globalsOf(args: readonly string[]): GlobalOptions {
  return { json: args.includes('--json'), color: !args.includes('--no-color') };
}
