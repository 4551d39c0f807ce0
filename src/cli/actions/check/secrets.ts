import type { Bench } from './bench.ts';
import { type Case, type Finding, failed, passed, warning } from './case.ts';

const SHORTEST = 8;

/** Cases of things that a receiver must not tell. They come last, when all else has been sent. */
export const SECRETS: readonly Case[] = [
  {
    id: 'secret_in_replies',
    title: 'no reply tells the secret or an expected signature',
    why: 'Who is told the signature that was expected can send what they like.',
    cure: 'Answer with a code, and never with what you computed.',
    run: async (bench) => lookThrough(bench, bench.replies.join('\n'), 'a reply', `${bench.replies.length} replies`),
  },
  {
    id: 'secret_in_log',
    title: 'the log tells neither',
    why: 'Logs are read by many, shipped to others and kept for years.',
    cure: 'Log that a signature did not match, and nothing that would have.',
    needs: ['log'],
    async run(bench) {
      const log = bench.readLog();
      if (log.trim() === '')
        return warning('nothing was logged meanwhile', 'Is it the right file? Refusals at least belong in a log.');
      return lookThrough(bench, log, 'the log', `${log.trimEnd().split('\n').length} lines`);
    },
  },
];

function lookThrough(
  { options: { secret }, expectedDigests }: Bench,
  text: string,
  place: string,
  size: string,
): Finding {
  if (secret.length < SHORTEST)
    return { state: 'skipped', detail: `the secret is shorter than ${SHORTEST} characters, so it stands anywhere` };
  const bytes = Buffer.from(secret);
  const forms = [secret, bytes.toString('base64'), bytes.toString('hex'), encodeURIComponent(secret)];
  if (forms.some((form) => text.includes(form))) return failed(`${place} holds the secret`);
  const told = expectedDigests.some((digest) => text.includes(digest));
  return told ? failed(`${place} holds an expected signature`) : passed(size);
}
