// `npm run crash -- --minutes 30`: kills, freezes, locks, fills and confuses processes for so long, and counts what it cost.
import { parseArgs } from 'node:util';
import type { CrashEngine, Twin } from './engine.ts';
import { type KillLoopReport, runKillLoop } from './kill-loop.ts';
import { runPoison, runRace, runShutdown, runZombie } from './races.ts';

const ROUND_MS = 60_000;
const RESTART_EVERY_MS = 5000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    engine: { type: 'string', default: 'sqlite' },
    /** A fault that it has to find: see `Twin`. */
    twin: { type: 'string' },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new TypeError('--minutes must be a number above 0.');
const { engine } = (await import(`./engines/${values.engine}.ts`)) as { readonly engine: CrashEngine };
const twin = values.twin as Twin | undefined;

const endsAtMs = performance.now() + minutes * 60_000;
const rounds: KillLoopReport[] = [];
const problems: string[] = [];
for (let round = 1; round === 1 || performance.now() < endsAtMs; round++) {
  const durationMs = Math.min(ROUND_MS, Math.max(0, endsAtMs - performance.now()));
  const found = await runKillLoop(engine, {
    durationMs,
    kills: 1,
    processes: 2 + (round % 2),
    restartEveryMs: RESTART_EVERY_MS,
    ...(twin && { twin }),
  });
  rounds.push(found);
  problems.push(...found.problems, ...(twin ? [] : await smallRounds()));
  print(`round ${round}`, found);
}
const total = {
  kills: sum('kills'),
  disturbances: sum('disturbances'),
  restarts: sum('restarts'),
  acknowledged: sum('acknowledged'),
  completed: sum('completed'),
  lost: sum('lost'),
  doubled: sum('doubled'),
  stuck: sum('stuck'),
  repeated: sum('repeated'),
};
await engine.close?.();
print('in all', total);
for (const problem of problems) console.log(problem);
const isBad = problems.length > 0 || total.lost + total.doubled + total.stuck > 0;
console.log(
  isBad ? 'Something acknowledged was not completed once: see above.' : 'All that was acknowledged was completed once.',
);
process.exitCode = isBad ? 1 : 0;

/** A race, a zombie, a payload that kills and an end that was asked for; what was wrong, in sentences. */
async function smallRounds(): Promise<readonly string[]> {
  const wins = await runRace(engine);
  const zombie = await runZombie(engine);
  const poisons = [await runPoison(engine, 'handler'), await runPoison(engine, 'schema')];
  const shutdown = await runShutdown(engine);
  const checks: readonly (readonly [ok: boolean, found: unknown, what: string])[] = [
    [
      [...wins.values()].every((times) => times === 1),
      [...wins].filter(([, times]) => times !== 1),
      'A key had not one winner',
    ],
    [String(zombie.answers) === 'false,lost,false,false' && zombie.completed, zombie, 'A zombie changed something'],
    [
      poisons.every(({ deadLetters, effects }) => deadLetters.length === 1 && effects === 20),
      poisons,
      'A payload that kills was not buried alone',
    ],
    [
      shutdown.exitCode === 0 && shutdown.claimsLeft + shutdown.lost + shutdown.doubled === 0,
      shutdown,
      'An end that was asked for left something',
    ],
  ];
  return checks.filter(([ok]) => !ok).map(([, found, what]) => `${what}: ${JSON.stringify(found)}`);
}

type Numbers = Omit<KillLoopReport, 'engine' | 'problems'>;

function sum(name: keyof Numbers): number {
  return rounds.reduce((all, round) => all + round[name], 0);
}

function print(what: string, numbers: Numbers): void {
  const { kills, disturbances, restarts, acknowledged, completed, lost, doubled, stuck, repeated } = numbers;
  console.log(
    `${what}: ${acknowledged} acknowledged, ${completed} completed, ${lost} lost, ${doubled} doubled, ${stuck} stuck; ` +
      `${kills} kills, ${disturbances} disturbances, ${restarts} restarts of the server, ${repeated} runs made again`,
  );
}
