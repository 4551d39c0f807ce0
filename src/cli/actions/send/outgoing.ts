import type { DeliveryRequest } from '../../../testing/index.ts';

/** A delivery that is to be sent, and its name for people. */
export interface Outgoing extends DeliveryRequest {
  readonly label: string;
  readonly id: string | undefined;
  readonly type: string | undefined;
  curl(): string;
}
