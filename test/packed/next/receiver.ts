import type { WebhookReceiver } from '@pathfinder/webhooks';

/** Whatever receiver the case that runs has put there: Next is served in the process of the tests. */
export const receiverOfTheCase: WebhookReceiver = {
  get limits() {
    return current().limits;
  },
  receive: (...delivery) => current().receive(...delivery),
  admit: (...delivery) => current().admit(...delivery),
};

function current(): WebhookReceiver {
  const { pathfinderReceiver } = globalThis as { pathfinderReceiver?: WebhookReceiver };
  if (!pathfinderReceiver) throw new Error('No case runs.');
  return pathfinderReceiver;
}
