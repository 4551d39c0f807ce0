import type { Bench } from './bench.ts';

/** The outcome of a case. A `warning` is worth mending and lets nothing in, loses nothing and doubles nothing. */
export interface Finding {
  readonly state: 'passed' | 'warning' | 'failed' | 'skipped';
  /** What was seen, in one line. */
  readonly detail: string;
  /** A cause that is surer than the case's own, and its cure. */
  readonly cure?: string;
}

/** An option that a case cannot do without. */
export type Need = 'effects' | 'log' | 'restart';

/** Something that a receiver has to stand. */
export interface Case {
  /** For programs: stable. */
  readonly id: string;
  readonly title: string;
  /** What goes wrong in production if it fails. */
  readonly why: string;
  /** What to do if it fails. */
  readonly cure: string;
  readonly needs?: readonly Need[];
  /** The cases whose failure explains a failure of this one: then it is not run. Each rests on `valid` besides. */
  readonly rests?: readonly string[];
  run(bench: Bench): Promise<Finding>;
}

export function passed(detail: string): Finding {
  return { state: 'passed', detail };
}

export function failed(detail: string, cure?: string): Finding {
  return { state: 'failed', detail, ...(cure !== undefined && { cure }) };
}

export function warning(detail: string, cure?: string): Finding {
  return { state: 'warning', detail, ...(cure !== undefined && { cure }) };
}
