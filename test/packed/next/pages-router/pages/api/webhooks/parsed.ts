import { toNextApiHandler } from '@pathfinder/webhooks/next';
import { receiverOfTheCase } from '../../../receiver';

// Without the line that turns Next's parser off.
export default toNextApiHandler(receiverOfTheCase);
