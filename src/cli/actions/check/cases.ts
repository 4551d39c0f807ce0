import type { Case } from './case.ts';
import { DELIVERIES } from './deliveries.ts';
import { DUPLICATES } from './duplicates.ts';
import { FORGERIES } from './forgeries.ts';
import { HOSTILE } from './hostile.ts';
import { RESTARTS } from './restarts.ts';
import { SECRETS } from './secrets.ts';

/** All cases, in the order in which they are run: what others rest on first. */
export const CASES: readonly Case[] = [...DELIVERIES, ...DUPLICATES, ...FORGERIES, ...HOSTILE, ...RESTARTS, ...SECRETS];
