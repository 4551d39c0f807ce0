import type { Reporter, TestModule } from 'vitest/node';

interface RunReporterOptions {
  readonly fastCheckSeed: number;
  /** A skipped test fails the run: in CI nothing may pass by not having run. */
  readonly refuseSkips: boolean;
}

/** Prints the seed of the property tests and, where asked, fails the run for skipped tests. */
export function runReporter({ fastCheckSeed, refuseSkips }: RunReporterOptions): Reporter {
  return {
    onInit() {
      console.log(`fast-check seed ${fastCheckSeed} (repeat with FAST_CHECK_SEED=${fastCheckSeed})`);
    },
    onTestRunEnd(modules) {
      const skipped = refuseSkips ? modules.flatMap(skippedTests) : [];
      if (skipped.length === 0) return;
      console.error(`CI=true, and ${skipped.length} skipped:\n${skipped.map((name) => `  ${name}`).join('\n')}`);
      process.exitCode = 1;
    },
  };
}

function skippedTests(module: TestModule): string[] {
  return [...module.children.allTests('skipped')].map((test) => `${module.relativeModuleId} > ${test.fullName}`);
}
