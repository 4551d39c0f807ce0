import { afterAll, describe, expect, it } from 'vitest';
import type { CrashEngine } from './engine.ts';
import { findFault, type KillLoopReport, runKillLoop } from './kill-loop.ts';
import { runPoison, runRace, runShutdown, runZombie } from './races.ts';

// Nothing here is over after a fixed time: a busy machine takes longer, and comes to the same result.
const PATIENCE_MS = 180_000;
// The proof runs the same loop for ten minutes an engine.
const KILLS = 6;
// An engine without a server of its own has none to restart.
const RESTART_EVERY_MS = 1500;

const twins = [
  ['an acknowledgement before the commit', 'ack-before-commit', ({ lost }) => lost > 0],
  ['a mark that is made before the event is queued', 'mark-first', ({ lost }) => lost > 0],
  ['events that nobody takes over', 'endless-lease', ({ stuck }) => stuck > 0],
  ['an effect that is made before its mark', 'effect-first', ({ doubled }) => doubled > 0],
] as const satisfies readonly (readonly [what: string, twin: string, shows: (report: KillLoopReport) => boolean])[];

interface CrashesOptions {
  /** The program of the engine's own server, which is restarted too. Absent: there is none on this machine. */
  readonly server: string | undefined;
}

/** Defines the crash tests of an engine: what it survives, and that each way of counting would show a fault. */
export function describeCrashes(engine: CrashEngine, options?: CrashesOptions): void {
  afterAll(() => engine.close?.());
  const isMissing = options !== undefined && options.server === undefined;
  if (isMissing) console.warn(`\n${engine.name}: skipped, since its server is not installed on this machine.\n`);
  describe.skipIf(isMissing)(`${engine.name} under SIGKILL, SIGSTOP and SIGTERM`, () => {
    it('loses no acknowledged event, repeats no transactional effect and leaves nothing behind', {
      timeout: PATIENCE_MS,
    }, async () => {
      const {
        kills,
        disturbances: _,
        restarts,
        acknowledged,
        completed,
        repeated,
        ...found
      } = await runKillLoop(engine, { kills: KILLS, restartEveryMs: RESTART_EVERY_MS });
      expect(found).toEqual({ engine: engine.name, lost: 0, doubled: 0, stuck: 0, problems: [] });
      expect(acknowledged).toBeGreaterThan(KILLS);
      expect(completed).toBe(acknowledged);
      // Else the kills missed what they were for.
      expect([kills >= KILLS, repeated > 0, restarts > 0]).toEqual([true, true, options !== undefined]);
    });

    it.each(twins.filter(([, twin]) => engine.transactional || twin !== 'effect-first'))(
      'the kill loop detects %s',
      { timeout: PATIENCE_MS },
      async (_, twin, shows) => {
        expect(await findFault(engine, twin, shows)).toBeGreaterThan(0);
      },
    );

    it('releases all its claims on SIGTERM, so that another process continues at once', {
      timeout: PATIENCE_MS,
    }, async () => {
      expect(await runShutdown(engine)).toEqual({ exitCode: 0, claimsLeft: 0, lost: 0, doubled: 0 });
    });

    it('the kill loop detects a shutdown that releases nothing', { timeout: PATIENCE_MS }, async () => {
      expect((await runShutdown(engine, 'exit-at-once')).claimsLeft).toBeGreaterThan(0);
    });
  });

  describe.skipIf(isMissing)(`${engine.name} between processes`, () => {
    it('gives each of 800 keys to one of six processes', { timeout: PATIENCE_MS }, async () => {
      const wins = await runRace(engine);
      expect(wins.size).toBe(800);
      expect([...wins].filter(([, times]) => times !== 1)).toEqual([]);
    });

    it('rejects extend, checkpoint, complete and fail from a process that lost its lease', {
      timeout: PATIENCE_MS,
    }, async () => {
      expect(await runZombie(engine)).toEqual({
        answers: [false, 'lost', false, false],
        completed: true,
        after: { state: 'done', attempt: 2, claims: 2, failures: 0, bodyHash: '', error: undefined, steps: {} },
      });
    });

    it.each(['handler', 'schema'] as const)(
      'moves a payload whose %s crashes its process to the dead letters and completes its neighbors',
      { timeout: PATIENCE_MS },
      async (killer) => {
        const { crashes, deadLetters, effects } = await runPoison(engine, killer);
        expect(deadLetters).toEqual([{ id: 'evt_poison', error: expect.stringContaining('took its process down') }]);
        expect([crashes, effects]).toEqual([10, 20]);
      },
    );
  });
}
