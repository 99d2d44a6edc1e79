/**
 * The attacks, in the order in which the drill runs them.
 */
import type { Attack } from '../rig.ts';
import { behindAProxy } from './behind-a-proxy.ts';
import { idFlood } from './id-flood.ts';
import { largeBodies } from './large-bodies.ts';
import { questions } from './questions.ts';
import { raceForFolder } from './race-for-folder.ts';

export const attacks: readonly Attack[] = [largeBodies, idFlood, behindAProxy, raceForFolder, questions];
