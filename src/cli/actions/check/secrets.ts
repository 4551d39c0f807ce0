import { type Case, failed, passed } from './case.ts';

/** What a receiver must not tell. They come last, when all else has been sent. */
export const SECRETS: readonly Case[] = [
  {
    id: 'secret_in_replies',
    title: 'no reply tells the secret or an expected signature',
    why: 'Who is told the signature that was expected can send what they like.',
    cure: 'Answer with a code, and never with what you computed.',
    async run(bench) {
      const told = findIn(bench.replies.join('\n'), bench.options.secret, bench.expectedSignatures);
      return told === undefined ? passed(`${bench.replies.length} replies`) : failed(`a reply holds ${told}`);
    },
  },
  {
    id: 'secret_in_log',
    title: 'the log tells neither',
    why: 'Logs are read by many, shipped to others and kept for years.',
    cure: 'Log that a signature did not match, and nothing that would have.',
    needs: ['log'],
    async run(bench) {
      const log = bench.readLog();
      const told = findIn(log, bench.options.secret, bench.expectedSignatures);
      return told === undefined ? passed(`${log.split('\n').length} lines`) : failed(`the log holds ${told}`);
    },
  },
];

function findIn(text: string, secret: string, expectedSignatures: readonly string[]): string | undefined {
  const forms = [
    secret,
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('hex'),
    encodeURIComponent(secret),
  ];
  if (forms.some((form) => text.includes(form))) return 'the secret';
  return expectedSignatures.some((digest) => text.includes(digest)) ? 'an expected signature' : undefined;
}
