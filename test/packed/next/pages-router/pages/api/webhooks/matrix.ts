import { toNextApiHandler } from '@pathfinder/webhooks/next';
import { receiverOfTheCase } from '../../../receiver';

export default toNextApiHandler(receiverOfTheCase);
export const config = { api: { bodyParser: false } };
