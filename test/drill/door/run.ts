/**
 * `npm run drill:door`: each known attack on the door as a script against a real process with keys,
 * on loopback only, with its figures: what the server's memory came to, and how the other tenant
 * fared meanwhile.
 *
 * An attack is a file in scenarios/ and a line in scenarios/index.ts.
 */
import { runScenarios } from '../run-scenarios.ts';
import { attacks } from './scenarios/index.ts';

await runScenarios(attacks, (figures) =>
  Object.entries(figures)
    .map(([name, figure]) => `${name} ${figure}`)
    .join('; '),
);
