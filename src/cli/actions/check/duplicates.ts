import { type Bench, isAccepted } from './bench.ts';
import { type Case, failed, passed } from './case.ts';

const COPIES = 8;

/** Cases of things that a receiver has to do once. */
export const DUPLICATES: readonly Case[] = [
  {
    id: 'duplicate',
    title: 'a duplicate is accepted, and not acted on again',
    why: 'Every sender repeats what it saw no answer to: a customer is charged, or welcomed, twice.',
    cure: 'Keep the ids that you have acted on, and look before you act.',
    async run(bench) {
      const delivery = bench.sample('user.created');
      const first = await bench.deliver(delivery);
      if (bench.options.effects !== undefined) await bench.effectsOf(delivery.event.id);
      const again = await bench.deliver(delivery.duplicate());
      if (!isAccepted(again.status)) {
        return failed(
          `the first was answered ${first.said}, the duplicate ${again.said}`,
          'Answer a duplicate 2xx: the sender repeats what is refused.',
        );
      }
      if (bench.options.effects === undefined)
        return passed(`answered ${again.said}; whether it acted again shows with --effects`);
      const effects = await bench.effectsOf(delivery.event.id);
      if (effects === 1) return passed(`answered ${again.said}, and acted once`);
      const knew = again.status !== first.status || again.text !== first.text;
      if (!knew) return failed(`it acted ${effects} times, and knew nothing of the first`);
      return failed(
        `it acted ${effects} times, although it answered the second as a duplicate`,
        'Look the id up before you act, not after.',
      );
    },
  },
  {
    id: 'duplicates_at_once',
    title: `${COPIES} copies at once are acted on once`,
    why: 'A sender that times out and a proxy that repeats send copies at the same moment, to several of your processes.',
    cure: 'Let one atomic statement decide (INSERT … ON CONFLICT DO NOTHING): looking first and inserting later lets all of them through.',
    needs: ['effects'],
    rests: ['duplicate'],
    async run(bench) {
      const delivery = bench.sample('user.created');
      const answers = await Promise.all(Array.from({ length: COPIES }, () => bench.deliver(delivery.duplicate())));
      const refused = answers.filter(({ status }) => !isAccepted(status));
      const effects = await bench.effectsOf(delivery.event.id);
      if (effects !== 1) return failed(`it acted ${effects} times`);
      if (refused.length === 0) return passed('acted once');
      return failed(
        `it acted once, but ${refused.length} copies were answered ${refused[0]?.said} to the last`,
        'Answer 2xx, or 503 while the first is being worked on.',
      );
    },
  },
  {
    id: 'timeout_then_retry',
    title: 'an event whose sender hung up, and sent it again, is acted on once',
    why: 'The sender saw no answer, but the work was done: so it sends the event again.',
    cure: 'Finish and remember what you have begun, also when nobody waits for the answer.',
    rests: ['duplicate'],
    async run(bench) {
      const delivery = bench.sample('user.created');
      await bench.abandon(delivery, 100);
      const again = await bench.deliver(delivery.duplicate());
      if (!isAccepted(again.status)) return failed(`the second attempt was answered ${again.said}`);
      return countOnce(bench, delivery.event.id, again.said);
    },
  },
  {
    id: 'other_bytes',
    title: 'another event under a known id is not acted on',
    why: 'An id stands for one event. Who acts on the second has either missed the first or been tricked.',
    cure: 'Answer 409 for a known id with other bytes, or treat it as a duplicate; act on neither.',
    rests: ['duplicate'],
    async run(bench) {
      const delivery = bench.sample('user.created');
      const { id } = delivery.event;
      await bench.deliver(delivery);
      if (bench.options.effects !== undefined) await bench.effectsOf(id);
      const other = await bench.send(
        bench.sample('user.created', { id, data: { user: { username: 'somebody_else' } } }),
      );
      if (other.status === 0 || (other.status >= 500 && other.status !== 503))
        return failed(`it was answered ${other.said}`);
      return countOnce(bench, id, other.said);
    },
  },
];

async function countOnce(bench: Bench, id: string, said: string) {
  if (bench.options.effects === undefined) return passed(`answered ${said}`);
  const effects = await bench.effectsOf(id);
  return effects === 1 ? passed(`answered ${said}, and acted once`) : failed(`it acted ${effects} times`);
}
