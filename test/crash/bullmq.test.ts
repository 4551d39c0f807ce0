import { programs } from '../support/services/servers.ts';
import { describeCrashes } from './describe-engine.ts';
import { engine } from './engines/bullmq.ts';

describeCrashes(engine, { server: programs.redis });
