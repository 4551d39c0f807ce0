import { WEBHOOK_EVENT_TYPES } from '../../../index.ts';
import { sleep } from '../../../shared/time.ts';
import { type Answer, type Bench, isAccepted } from './bench.ts';
import { type Case, failed, passed } from './case.ts';

const BURST = 60;
const AT_ONCE = 20;
const RAW_CURE = 'Hash the bytes as they arrived, before anything parses them.';

/** Cases of deliveries that a receiver has to take. */
export const DELIVERIES: readonly Case[] = [
  {
    id: 'valid',
    title: 'a signed event is accepted',
    why: 'Nothing else counts if this fails.',
    cure: 'Is the secret the same, the path right, and the body hashed before it is parsed? `pathfinder-webhooks doctor` tells which.',
    async run(bench) {
      const delivery = bench.sample('user.created');
      const answer = await bench.deliver(delivery);
      if (!isAccepted(answer.status)) return failed(`it was answered ${answer.said}`);
      if (bench.options.effects === undefined) return passed(`answered ${answer.said}`);
      const effects = await bench.effectsOf(delivery.event.id);
      if (effects === 1) return passed(`answered ${answer.said}, and acted once`);
      if (effects === 0)
        return failed(
          'it was accepted, but --effects shows no line with its id',
          'Have the receiver write a line with the id of each event it acts on; if it acts later than two seconds, raise --settle.',
        );
      return failed(`it acted ${effects} times on one delivery`);
    },
  },
  {
    id: 'event_types',
    title: 'every event type is accepted',
    why: 'A type that is answered with an error is sent again and again.',
    cure: 'Answer 2xx for types that you do not handle, newer ones included.',
    async run(bench) {
      const refused: string[] = [];
      for (const type of WEBHOOK_EVENT_TYPES) {
        const answer = await bench.deliver(bench.sample(type));
        if (!isAccepted(answer.status)) refused.push(`${type} ${answer.said}`);
      }
      const unknown = { ...bench.sample('auth.login').event, type: 'pathfinder.check' };
      const answer = await bench.deliver(bench.signed(JSON.stringify(unknown)));
      if (!isAccepted(answer.status)) refused.push(`a type of tomorrow ${answer.said}`);
      return refused.length === 0
        ? passed('all nineteen, and one of tomorrow')
        : failed(`not accepted: ${refused.join(', ')}`);
    },
  },
  {
    id: 'respaced',
    title: 'a signed body with white space of its own is accepted',
    why: 'Who hashes what a parser made of the body refuses real events as soon as the sender writes JSON another way.',
    cure: RAW_CURE,
    async run(bench) {
      const { event } = bench.sample('auth.login');
      const text = JSON.stringify(event, undefined, 3)
        .replace('"id":', '"id" :')
        .replaceAll('session', '\\u0073ession');
      return acceptedOr(await bench.deliver(bench.signed(`\r\n${text}\n`)));
    },
  },
  {
    id: 'reencoded',
    title: 'a signed body beyond ASCII is accepted',
    why: 'Names have accents. Who decodes the body in the wrong charset before hashing refuses them.',
    cure: RAW_CURE,
    async run(bench) {
      return acceptedOr(
        await bench.deliver(
          bench.sample('user.created', { data: { user: { first_name: 'Zoë 日本 🎉', last_name: '\u2028' } } }),
        ),
      );
    },
  },
  {
    id: 'slow_body',
    title: 'a body that comes in pieces is accepted',
    why: 'Networks cut bodies into pieces; the first one is not the whole.',
    cure: 'Read the body to its end before hashing it.',
    async run(bench) {
      const { headers, body } = bench.sample('auth.login');
      const parts = [0, 1, 2, 3, 4].map((i) => body.subarray((i * body.length) / 5, ((i + 1) * body.length) / 5));
      const answer = await bench.send({
        headers: { ...headers, 'content-length': String(body.length) },
        async write(request) {
          for (const part of parts) {
            request.write(part);
            await sleep(60);
          }
          request.end();
        },
      });
      return acceptedOr(answer);
    },
  },
  {
    id: 'reversed_order',
    title: 'events that arrive in reverse are accepted',
    why: 'Deliveries overtake each other. Who needs the first to take the second refuses what it cannot get again.',
    cure: 'Take an update of what you do not know yet, and compare `created` before you overwrite.',
    async run(bench) {
      const id = `user_check_${crypto.randomUUID().slice(0, 8)}`;
      const created = Math.floor(Date.now() / 1000);
      const user = { id };
      const updated = await bench.deliver(bench.sample('user.updated', { created, data: { user } }));
      const first = await bench.deliver(bench.sample('user.created', { created: created - 60, data: { user } }));
      const gone = await bench.deliver(bench.sample('user.deleted', { created, data: { user_id: `${id}_2` } }));
      if ([updated, first, gone].every(({ status }) => isAccepted(status)))
        return passed('update before creation, deletion of what was never seen');
      return failed(
        `an update before its creation was answered ${updated.said}, the creation ${first.said}, a deletion of what was never seen ${gone.said}`,
      );
    },
  },
  {
    id: 'burst',
    title: `a burst of ${BURST} events is accepted, each acted on once`,
    why: 'A bulk import sends thousands in a second. What is dropped then is lost, what is doubled is doubled.',
    cure: 'Store the event and answer, then work it off; a unique key on the id settles who does.',
    run: burst,
  },
];

async function burst(bench: Bench) {
  const deliveries = Array.from({ length: BURST }, () => bench.sample('user.created'));
  const answers = new Map<string, Answer>();
  const waiting = [...deliveries];
  const work = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) answers.set(next.event.id, await bench.deliver(next));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const refused = [...answers.values()].filter(({ status }) => !isAccepted(status));
  if (refused.length > 0)
    return failed(`${refused.length} were not accepted, the first was answered ${refused[0]?.said}`);
  if (bench.options.effects === undefined) return passed(`all accepted, ${AT_ONCE} at a time`);
  const counts = await bench.effectsOfAll(deliveries.map(({ event }) => event.id));
  const wrong = counts.filter((count) => count !== 1);
  return wrong.length === 0
    ? passed('each acted on once')
    : failed(`${wrong.length} were acted on ${[...new Set(wrong)].join(' or ')} times`);
}

function acceptedOr(answer: Answer) {
  return isAccepted(answer.status) ? passed(`answered ${answer.said}`) : failed(`it was answered ${answer.said}`);
}
