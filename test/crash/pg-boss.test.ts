import { programs } from '../support/services/servers.ts';
import { describeCrashes } from './describe-engine.ts';
import { engine } from './engines/pg-boss.ts';

describeCrashes(engine, { server: programs.postgres });
