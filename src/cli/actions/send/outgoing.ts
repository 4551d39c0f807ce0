import type { DeliveryRequest } from '../../../testing/index.ts';
import type { EventNames } from '../../support/json.ts';

/** A delivery that is to be sent, and its name for people. */
export interface Outgoing extends DeliveryRequest, EventNames {
  readonly label: string;
}
