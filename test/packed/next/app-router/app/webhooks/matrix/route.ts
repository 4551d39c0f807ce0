import { toNextRoute } from '@pathfinder/webhooks/next';
import { receiverOfTheCase } from '../../../receiver';

export const POST = toNextRoute(receiverOfTheCase);
