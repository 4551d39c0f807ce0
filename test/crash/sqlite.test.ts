import { describeCrashes } from './describe-engine.ts';
import { engine } from './engines/sqlite.ts';

describeCrashes(engine);
