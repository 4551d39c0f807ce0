import { describe, expect, test, vi } from 'vitest';
import type { ReceivedWebhookEvent } from '../../src/events/index.ts';
import { CRITICAL_EVENT_TYPES, WebhookErrorHandler } from '../../src/report/error-handler.ts';

const error = new Error('CRM is down');
const STEP_FAILED = 'A step after the failure of a webhook event failed as well';

function eventOf(type: string): ReceivedWebhookEvent {
  return { id: 'evt_1', type, api_version: '1.0', created: 1_709_280_000, data: { email: 'jo@example.com' } };
}

const critical = eventOf('user.deleted');
const ordinary = eventOf('user.created');

/** An event every use of which throws. */
const hostile = new Proxy(
  {},
  {
    get() {
      throw new Error('hands off');
    },
  },
);

/** The three steps and the logger, and the order in which they were used. */
function recordedSteps() {
  const order: string[] = [];
  const step = (name: string) =>
    vi.fn(async (..._: unknown[]) => {
      order.push(`${name} begins`);
      await Promise.resolve();
      order.push(`${name} ends`);
    });
  const logger = {
    debug: vi.fn(),
    info: vi.fn(),
    warn: vi.fn(),
    error: vi.fn((_: object, message: string) => void order.push(message)),
  };
  return {
    order,
    logger,
    storeFailedEvent: step('store'),
    sendAlert: step('alert'),
    scheduleRetry: step('schedule'),
  };
}

describe('WebhookErrorHandler.handle', () => {
  test('logs, stores, alerts and schedules, one after the other', async () => {
    const { order, ...steps } = recordedSteps();
    await new WebhookErrorHandler(steps).handle(critical, error);
    expect(order).toEqual([
      'Webhook event failed',
      'store begins',
      'store ends',
      'alert begins',
      'alert ends',
      'schedule begins',
      'schedule ends',
    ]);
    for (const step of [steps.storeFailedEvent, steps.sendAlert, steps.scheduleRetry]) {
      expect(step.mock.calls).toEqual([[critical, error]]);
    }
  });

  test('logs only the id, the type and the error of the event', async () => {
    const { logger } = recordedSteps();
    await new WebhookErrorHandler({ logger }).handle({ ...critical, id: 'evt\n1' }, error);
    expect(logger.error.mock.calls).toEqual([
      [{ event_id: 'evt\\u{a}1', event_type: 'user.deleted', err: error }, 'Webhook event failed'],
    ]);
  });

  test('alerts for critical types only', async () => {
    const { order, ...steps } = recordedSteps();
    await new WebhookErrorHandler(steps).handle(ordinary, error);
    expect(order).toEqual(['Webhook event failed', 'store begins', 'store ends', 'schedule begins', 'schedule ends']);
  });

  test.each([
    [() => true, 1],
    [() => false, 0],
    [async () => true, 1],
    [async () => false, 0],
  ])('asks isCritical instead of the list when it is given (%#)', async (isCritical, alerts) => {
    const { order, ...steps } = recordedSteps();
    const asked = vi.fn(isCritical);
    await new WebhookErrorHandler({ ...steps, isCritical: asked }).handle(critical, error);
    expect(asked.mock.calls).toEqual([['user.deleted']]);
    expect(steps.sendAlert).toHaveBeenCalledTimes(alerts);
  });

  test('alerts when isCritical fails', async () => {
    const { order, ...steps } = recordedSteps();
    const err = new Error('no rules loaded');
    await new WebhookErrorHandler({ ...steps, isCritical: () => Promise.reject(err) }).handle(ordinary, error);
    expect(steps.sendAlert).toHaveBeenCalledOnce();
    expect(steps.logger.error).toHaveBeenLastCalledWith(
      { event_id: 'evt_1', event_type: 'user.created', step: 'isCritical', err },
      STEP_FAILED,
    );
  });

  test('continues with the next step when one fails, and logs which', async () => {
    const { order, ...steps } = recordedSteps();
    const errors = { storeFailedEvent: new Error('disk full'), sendAlert: undefined, scheduleRetry: 'no queue' };
    steps.storeFailedEvent.mockRejectedValue(errors.storeFailedEvent);
    steps.sendAlert.mockRejectedValue(errors.sendAlert);
    steps.scheduleRetry.mockImplementation(() => {
      throw errors.scheduleRetry;
    });
    expect(await new WebhookErrorHandler(steps).handle(critical, error)).toBe(undefined);
    expect(steps.logger.error.mock.calls.slice(1)).toEqual(
      Object.entries(errors).map(([step, err]) => [
        { event_id: 'evt_1', event_type: 'user.deleted', step, err },
        STEP_FAILED,
      ]),
    );
  });

  test('leaves the retry to the queue when told so', async () => {
    const { order, ...steps } = recordedSteps();
    await new WebhookErrorHandler(steps).handle(critical, error, { scheduleRetry: false });
    expect(steps.sendAlert).toHaveBeenCalledOnce();
    expect(steps.scheduleRetry).not.toHaveBeenCalled();
  });

  test('only logs without steps, by default to the console', async () => {
    const consoleError = vi.spyOn(console, 'error').mockReturnValue();
    try {
      await new WebhookErrorHandler().handle(critical, error);
      expect(consoleError.mock.calls).toEqual([
        ['[pathfinder] Webhook event failed', { event_id: 'evt_1', event_type: 'user.deleted', err: error }],
      ]);
    } finally {
      consoleError.mockRestore();
    }
  });

  test.each([undefined, null, 'text', {}, hostile])(
    'never rejects, whatever the event (%#), error or logger',
    async (event) => {
      const broken = () => {
        throw new Error('no log');
      };
      const logger = { debug: broken, info: broken, warn: broken, error: broken };
      const { storeFailedEvent, sendAlert, scheduleRetry } = recordedSteps();
      const handler = new WebhookErrorHandler({ logger, storeFailedEvent, sendAlert, scheduleRetry });
      expect(await handler.handle(event as unknown as ReceivedWebhookEvent, undefined)).toBe(undefined);
      expect(storeFailedEvent).toHaveBeenCalledOnce();
      expect(storeFailedEvent.mock.calls[0]?.[0]).toBe(event);
      expect(scheduleRetry).toHaveBeenCalledOnce();
    },
  );
});

describe('WebhookErrorHandler.isCritical', () => {
  test('returns true for the three documented types only', () => {
    expect(CRITICAL_EVENT_TYPES).toEqual(['user.deleted', 'auth.failed_attempts', 'admin.audit_alert']);
    const types = [...CRITICAL_EVENT_TYPES, 'user.created', '', 'constructor'];
    expect(types.map((type) => WebhookErrorHandler.isCritical(type))).toEqual([true, true, true, false, false, false]);
  });
});

describe('a WebhookErrorHandler subclass with static steps', () => {
  const calls: unknown[][] = [];

  class Mine extends WebhookErrorHandler {
    static readonly table = 'failed_events';

    static override async storeFailedEvent(event: ReceivedWebhookEvent, error: unknown) {
      await Promise.resolve();
      // biome-ignore lint/complexity/noThisInStatic: that `this` is the subclass is what is tested.
      calls.push(['store', this.table, event, error]);
    }

    static override sendAlert(event: ReceivedWebhookEvent) {
      calls.push(['alert', event]);
    }

    static override isCritical(eventType: string) {
      return eventType.startsWith('user.') || WebhookErrorHandler.isCritical(eventType);
    }
  }

  const expected = [
    ['store', 'failed_events', ordinary, error],
    ['alert', ordinary],
  ];

  test.each([
    ['handle of the class', () => Mine.handle(ordinary, error)],
    ['handle of an instance', () => new Mine().handle(ordinary, error)],
  ])('runs its steps when called by %s', async (_, handle) => {
    const consoleError = vi.spyOn(console, 'error').mockReturnValue();
    try {
      calls.length = 0;
      await handle();
      expect(calls).toEqual(expected);
    } finally {
      consoleError.mockRestore();
    }
  });

  test('prefers the steps passed to the constructor', async () => {
    const { order, ...steps } = recordedSteps();
    calls.length = 0;
    await new Mine({ ...steps, isCritical: () => false }).handle(ordinary, error);
    expect(calls).toEqual([]);
    expect(order).toEqual(['Webhook event failed', 'store begins', 'store ends', 'schedule begins', 'schedule ends']);
  });
});
