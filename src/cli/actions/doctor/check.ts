/** Something that was looked at. */
export interface Check {
  /** For programs: stable. */
  readonly id: string;
  readonly state: 'ok' | 'problem' | 'skipped';
  /** What was seen, in one line. */
  readonly detail: string;
  /** What to do about a problem. */
  readonly fix?: string;
}

/** Takes a check as soon as it is made. */
export type NoteCheck = (check: Check) => void;
