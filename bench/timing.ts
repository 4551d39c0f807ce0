import { importBuilt } from './built.ts';
import type { Gate } from './harness.ts';
import { eventBody, SECRET, sign } from './usual.ts';

const SAMPLES = 200_000;
// Of these a comparison that stops at the first difference reaches hundreds, and noise alone up to four.
const LEAKS = 10;

type Compare = (digest: string) => boolean;

/**
 * Whether the time of a refusal tells how far a forged signature is right: wrong in its first digit against wrong in its
 * last, in random order, by Welch's t. A comparison that leaks on purpose shows that the method can see.
 */
export async function benchTiming(): Promise<Gate[]> {
  const { verifyWebhookSignature } = await importBuilt();
  const body = eventBody('evt_1234567890', 250);
  const right = sign(body);
  const early = replaceAt(right, 'sha256='.length);
  const late = replaceAt(right, right.length - 1);
  const ours = leak((header) => verifyWebhookSignature(body, header, SECRET), early, late);
  const leaking = leak((header) => stopsAtFirstDifference(header, right), early, late);
  console.log('\nDoes the time of a refusal depend on where the signature is wrong? (Welch’s t; beyond 10 it does)');
  console.log(`  verifyWebhookSignature                       ${ours.toFixed(1).padStart(9)}`);
  console.log(`  a comparison that stops at a difference      ${leaking.toFixed(1).padStart(9)}`);
  return [
    { what: 'no leak: 10 / t of verifyWebhookSignature', ratio: LEAKS / ours, least: 1 },
    { what: 'the method sees a leak: t / 10 of one made on purpose', ratio: leaking / LEAKS, least: 1 },
  ];
}

// The smaller of two runs: another process may disturb one.
function leak(compare: Compare, early: string, late: string): number {
  return Math.min(measure(compare, early, late), measure(compare, early, late));
}

function measure(compare: Compare, early: string, late: string): number {
  const samples: [number[], number[]] = [[], []];
  for (let i = 0; i < SAMPLES; i++) {
    const side = Math.random() < 0.5 ? 0 : 1;
    const header = side === 0 ? early : late;
    const start = process.hrtime.bigint();
    compare(header);
    samples[side].push(Number(process.hrtime.bigint() - start));
  }
  return welch(...(samples.map(withoutOutliers) as [number[], number[]]));
}

// Interrupts and collections are a thousand times as long as what is measured.
function withoutOutliers(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.slice(0, Math.floor(sorted.length * 0.9));
}

function welch(a: readonly number[], b: readonly number[]): number {
  const [one, other] = [moments(a), moments(b)];
  return Math.abs(one.mean - other.mean) / Math.sqrt(one.variance / a.length + other.variance / b.length);
}

function moments(values: readonly number[]) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, variance };
}

function replaceAt(text: string, index: number): string {
  return text.slice(0, index) + (text[index] === '0' ? '1' : '0') + text.slice(index + 1);
}

function stopsAtFirstDifference(a: string, b: string): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
