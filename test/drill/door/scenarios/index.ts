/**
 * The attacks, in the order in which the drill runs them.
 */
import type { Attack } from '../rig.ts';
import { behindAProxy } from './behind-a-proxy.ts';
import { failingIssuer } from './failing-issuer.ts';
import { foreignPage } from './foreign-page.ts';
import { idFlood } from './id-flood.ts';
import { inflation } from './inflation.ts';
import { largeBodies } from './large-bodies.ts';
import { manyAddresses } from './many-addresses.ts';
import { questions } from './questions.ts';
import { raceForFolder } from './race-for-folder.ts';
import { spoiledConfiguration } from './spoiled-configuration.ts';
import { strangers } from './strangers.ts';
import { unfinishedMessages } from './unfinished-messages.ts';
import { unpaidWork } from './unpaid-work.ts';

export const attacks: readonly Attack[] = [
  largeBodies,
  idFlood,
  behindAProxy,
  raceForFolder,
  questions,
  strangers,
  inflation,
  unpaidWork,
  unfinishedMessages,
  manyAddresses,
  spoiledConfiguration,
  failingIssuer,
  foreignPage,
];
