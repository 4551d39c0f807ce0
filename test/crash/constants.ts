/** Of the sender that a crash run plays. */
export const CRASH_SECRET = 'whsec_crash_0123456789abcdef0123';

/** The name of the handler that takes its process down. */
export const POISON = 'poison';

/** Stands among the ids of the runs for one that failed by chance. */
export const FAILED_RUN = 'failed';

export const RACE_KEYS: readonly string[] = Array.from({ length: 800 }, (_, i) => `key_${i}`);
