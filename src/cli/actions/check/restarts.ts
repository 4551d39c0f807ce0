import { isAccepted } from './bench.ts';
import { type Case, failed, passed } from './case.ts';

/** Cases of things that a receiver must still know after a restart. */
export const RESTARTS: readonly Case[] = [
  {
    id: 'restart_keeps',
    title: 'what was acknowledged is acted on, although the receiver is restarted at once',
    why: 'Deployments and crashes come at any moment. The sender has its 2xx, and never sends the event again.',
    cure: 'Store the event before you answer, or act before you answer.',
    needs: ['effects', 'restart'],
    async run(bench) {
      const deliveries = Array.from({ length: 5 }, () => bench.sample('user.created'));
      for (const delivery of deliveries) {
        const { status, said } = await bench.deliver(delivery);
        if (!isAccepted(status)) return failed(`an event was answered ${said}`);
      }
      await bench.restart();
      const counts: number[] = [];
      for (const { event } of deliveries) counts.push(await bench.effectsOf(event.id));
      const lost = counts.filter((count) => count === 0).length;
      return lost === 0 ? passed('five of five') : failed(`${lost} of ${counts.length} acknowledged events are lost`);
    },
  },
  {
    id: 'restart_remembers',
    title: 'a duplicate after a restart is not acted on again',
    why: 'Senders repeat for days, and every deployment forgets what is in memory only.',
    cure: 'Keep the ids in the same transaction as the effect, or on disk before the effect counts as done.',
    needs: ['effects', 'restart'],
    rests: ['duplicate'],
    async run(bench) {
      const delivery = bench.sample('user.created');
      const { id } = delivery.event;
      await bench.deliver(delivery);
      // The restart comes as soon as the effect shows: what is remembered only later is forgotten.
      for (let waitedMs = 0; waitedMs < 5000 && (await bench.countEffects([id])).includes(0); waitedMs += 10) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await bench.restart();
      const again = await bench.deliver(delivery.duplicate());
      if (!isAccepted(again.status)) return failed(`the duplicate was answered ${again.said}`);
      const effects = await bench.effectsOf(id);
      return effects === 1 ? passed('acted once') : failed(`it acted ${effects} times`);
    },
  },
];
